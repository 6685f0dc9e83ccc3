//! The kinds of load.

mod costs;
mod offline;
mod peak;
mod relay;
mod steady;
mod storm;

use anyhow::Result;
use serde_json::{Map, Value};

use super::options::Profile;
use super::stage::Stage;
use super::target::Target;
use crate::dice::Dice;
use crate::traffic::Device;

/// Plays a profile; what the report tells of it beside its phases.
pub async fn play(
    profile: Profile,
    stage: &mut Stage,
    target: &Target,
) -> Result<Map<String, Value>> {
    match profile {
        Profile::Costs => costs::play(stage, target).await,
        Profile::Peak => peak::play(stage).await,
        Profile::Connected | Profile::Soak => steady::play(stage).await,
        Profile::Relay => relay::play(stage).await,
        Profile::Offline => offline::play(stage).await,
        Profile::Storm => storm::play(stage).await,
    }
}

/// A device and the place of one of its chats.
fn anyone(dice: &mut Dice, among: &[Device]) -> (Device, usize) {
    let device = among[dice.below(among.len())].clone();
    let chat = dice.below(device.contacts().max(1));
    (device, chat)
}

/// The fields of an object.
fn fields(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
