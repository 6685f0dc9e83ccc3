//! Ann and Bob arrive with two devices each.

use anyhow::Result;
use plasma_identity::DeviceCertificate;
use plasma_testkit::platform::amount;

use super::opening::Stage;
use super::platforms::Platforms;
use crate::figure;
use crate::person::Person;
use crate::transcript::Transcript;

/// What Ann has to begin with, in cents.
pub const ANN_HAS: i64 = 2_500;

/// The two who chat for most of the story, both of the paid platform.
#[derive(Debug)]
pub struct Cast {
    /// Pays.
    pub ann: Person,
    /// Is paid.
    pub bob: Person,
}

/// Registers everybody's devices and credits Ann's wallet.
pub async fn arrive(
    transcript: &mut Transcript,
    stage: &Stage,
    platforms: &Platforms,
) -> Result<Cast> {
    transcript.chapter("Ann and Bob arrive");
    let folder = stage.devices.path();
    let mut people = Vec::new();
    for (node, name) in ["Ann", "Bob"].into_iter().enumerate() {
        let endpoint = stage.endpoint(node);
        let mut person = Person::arrive(name, &platforms.studio, &endpoint, folder).await?;
        transcript.step(&format!("{name}’s phone is registered on the platform’s word"));
        let code = person.add_laptop(&platforms.studio, &endpoint, folder).await?;
        transcript.step(&format!("{name}’s phone scans the code of the laptop and certifies it"));
        transcript.detail("check code", code);
        transcript.detail("user", figure::id(&person.user_id));
        transcript.detail("node", stage.cluster.node(node).endpoint());
        people.push(person);
    }
    let [ann, bob] = <[Person; 2]>::try_from(people).map_err(|_| anyhow::anyhow!("two people"))?;
    for person in [&ann, &bob] {
        let mut sets = Vec::new();
        for gadget in &person.gadgets {
            let account = gadget.device.own_account()?;
            let mut set: Vec<_> =
                account.devices().iter().map(DeviceCertificate::address).collect();
            set.sort_unstable();
            sets.push(set);
        }
        let mut own: Vec<_> = person.gadgets.iter().map(|gadget| gadget.device.address()).collect();
        own.sort_unstable();
        transcript.check(
            &format!("{} has two devices, and each has verified both", person.name),
            own.len() == 2 && sets.iter().all(|set| *set == own),
            format!("{} certified", sets.iter().map(Vec::len).max().unwrap_or(0)),
        );
    }
    let wallet = platforms.studio.credit(&ann.user_id, amount("EUR", ANN_HAS)).await?;
    let available = wallet.available.unwrap_or_default();
    transcript.check(
        "Ann’s wallet is credited",
        available.minor_units == ANN_HAS,
        figure::amount(&available),
    );
    Ok(Cast { ann, bob })
}
