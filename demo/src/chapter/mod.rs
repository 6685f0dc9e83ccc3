//! The chapters, in the order in which they are told.

mod blindness;
mod contact;
mod counting;
mod devices;
mod free;
mod lies;
mod messages;
mod money;
mod opening;
mod people;
mod platforms;
mod refusals;
mod two_platforms;

use anyhow::Result;
use plasma_testkit::ClusterKind;

use crate::transcript::Transcript;

/// Plays the story from the first server to the last search.
pub async fn play(transcript: &mut Transcript, kind: ClusterKind) -> Result<()> {
    let stage = opening::start(transcript, kind).await?;
    let platforms = platforms::onboard(transcript, &stage).await?;
    let mut cast = people::arrive(transcript, &stage, &platforms).await?;
    let chat = contact::scan_and_pay(transcript, &stage, &platforms, &cast).await?;
    messages::both_ways(transcript, &stage, &mut cast, chat).await?;
    counting::writes(transcript, &stage, &mut cast, chat).await?;
    let refused = refusals::refused(transcript, &stage, &platforms, &cast);
    let cid = Box::pin(refused).await?;
    let dora = free::without_wallet(transcript, &stage, &platforms).await?;
    two_platforms::both_allow(transcript, &stage, &platforms, &cast, &dora).await?;
    devices::come_and_go(transcript, &stage, &platforms, &mut cast, chat).await?;
    let newcomers = Box::pin(money::play(transcript, &stage, &platforms, &cast)).await?;
    let mut people = vec![&cast.ann, &cast.bob, &cid, &dora];
    people.extend(&newcomers.people);
    let mut known = vec![&platforms.studio, &platforms.bank];
    known.extend(&newcomers.platforms);
    blindness::search(transcript, &stage, &known, &people).await
}
