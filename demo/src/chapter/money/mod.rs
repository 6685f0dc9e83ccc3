//! Money: a year of a subscription on a sandbox's clock, an empty wallet, a dearer price, refunds, a
//! platform's own wallet that drops answers, what platforms owe each other, and the books of it all.

mod books;
mod consent;
mod ledger;
mod own_wallet;
mod reconciliation;
mod refund;
mod rescue;
mod settlement;
mod shop;
mod wallet_book;
mod wallet_process;
mod year;

use anyhow::Result;
use plasma_testkit::Platform;

use super::opening::Stage;
use super::people::Cast;
use super::platforms::Platforms;
use crate::person::Person;
use crate::transcript::Transcript;

/// Who came into the story with the money.
#[derive(Debug)]
pub struct Newcomers {
    /// Their platforms.
    pub platforms: Vec<Platform>,
    /// The people.
    pub people: Vec<Person>,
}

/// Tells all of it.
pub async fn play(
    transcript: &mut Transcript,
    stage: &Stage,
    platforms: &Platforms,
    cast: &Cast,
) -> Result<Newcomers> {
    let mut shop = Box::pin(year::subscribed(transcript, stage, platforms)).await?;
    Box::pin(rescue::empty_wallet(transcript, &mut shop)).await?;
    Box::pin(consent::price_rise(transcript, &mut shop)).await?;
    Box::pin(refund::given_back(transcript, &mut shop)).await?;
    Box::pin(books::of_the_sandbox(transcript, &shop)).await?;
    let kiosk = Box::pin(own_wallet::drops_answers(transcript, stage)).await?;
    Box::pin(settlement::between(transcript, stage, platforms, &kiosk, cast)).await?;
    Box::pin(ledger::verified(transcript, stage, &shop)).await?;
    let mut people = kiosk.people;
    people.extend([shop.payer, shop.recipient]);
    Ok(Newcomers { platforms: vec![shop.platform, kiosk.platform], people })
}
