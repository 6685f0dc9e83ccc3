//! Somebody without money is refused, and so is a price that is no longer the price.

use anyhow::{Context, Result};
use plasma_client::{Error, accept};
use plasma_proto::error::v1::ErrorReason;
use plasma_testkit::platform::{amount, time_pass};

use super::contact::{available, charges};
use super::opening::Stage;
use super::people::Cast;
use super::platforms::{PASS_SECONDS, Platforms, RECIPIENT_SHARE};
use crate::figure;
use crate::person::Person;
use crate::transcript::Transcript;

const CID_GETS: i64 = 2_000;
/// What a chat costs after the change, in cents.
pub const NEW_PRICE: i64 = 1_299;

/// Tells both refusals; returns the one who was refused.
pub async fn refused(
    transcript: &mut Transcript,
    stage: &Stage,
    platforms: &Platforms,
    cast: &Cast,
) -> Result<Person> {
    transcript.chapter("Refused, and nothing charged");
    let studio = &platforms.studio;
    let channel = stage.cluster.node(0).channel()?;
    let before = charges(studio, channel.clone()).await?.len();
    let cid = Person::arrive("Cid", studio, &stage.endpoint(0), stage.devices.path()).await?;
    let link = cast.bob.phone().device.create_link().await?;
    let resolved = cid.phone().device.resolve(&link).await?;
    transcript.step("Cid arrives without money and accepts the price all the same");
    let refused = cid.phone().device.open_chat(&resolved, accept(&resolved.quote)).await;
    let error = refused.err().context("Cid’s chat was opened without money")?;
    let (balance, charged) =
        (available(studio, &cid.user_id).await?, charges(studio, channel.clone()).await?.len());
    transcript.check(
        "without money: PAYMENT_REQUIRED and nothing is charged",
        error.reason() == Some(ErrorReason::PaymentRequired) && balance == 0 && charged == before,
        format!(
            "{}; wallet {}; {} new charges",
            reason(&error),
            figure::money("EUR", balance),
            charged - before
        ),
    );

    studio.credit(&cid.user_id, amount("EUR", CID_GETS)).await?;
    let seen = cid.phone().device.resolve(&link).await?;
    transcript.step(&format!(
        "Cid has {} now and sees {}",
        figure::money("EUR", CID_GETS),
        figure::quote(&seen.quote)
    ));
    studio
        .publish_price(time_pass(amount("EUR", NEW_PRICE), PASS_SECONDS), None, RECIPIENT_SHARE)
        .await?;
    transcript
        .step(&format!("meanwhile the platform publishes {}", figure::money("EUR", NEW_PRICE)));
    let refused = cid.phone().device.open_chat(&seen, accept(&seen.quote)).await;
    let error = refused.err().context("the old price was taken")?;
    let right = match &error {
        Error::Service(error) => error.quote.as_deref().cloned(),
        _ => None,
    };
    let (balance, charged) =
        (available(studio, &cid.user_id).await?, charges(studio, channel.clone()).await?.len());
    transcript.check(
        "an old price: PRICE_CHANGED with the right quote, and nothing is charged",
        error.reason() == Some(ErrorReason::PriceChanged)
            && right.as_ref().map(figure::price_of) == Some(NEW_PRICE)
            && balance == CID_GETS
            && charged == before,
        format!(
            "{}; now {}; wallet {}",
            reason(&error),
            right.as_ref().map(figure::quote).unwrap_or_default(),
            figure::money("EUR", balance)
        ),
    );
    let right = right.context("the quote in force")?;
    let opened = cid.phone().device.open_chat(&seen, accept(&right)).await?;
    let balance = available(studio, &cid.user_id).await?;
    transcript.check(
        "the price in force is accepted and charged",
        opened.pass.is_some() && balance == CID_GETS - NEW_PRICE,
        format!("wallet {}", figure::money("EUR", balance)),
    );
    Ok(cid)
}

/// The reason of a refusal, without its prefix.
pub fn reason(error: &Error) -> String {
    match error.reason() {
        Some(reason) => reason.as_str_name().trim_start_matches("ERROR_REASON_").to_owned(),
        None => error.to_string(),
    }
}
