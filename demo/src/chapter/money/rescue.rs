//! A wallet is empty when a month is due: grace and a rescue, then a lapse and the return.

use anyhow::Result;
use jiff::ToSpan;
use plasma_proto::billing::v1::SubscriptionState;
use plasma_proto::error::v1::ErrorReason;

use super::shop::{self, GRACE_DAYS, PRICE, Shop, named};
use crate::chapter::refusals::reason;
use crate::figure;
use crate::transcript::Transcript;

/// Tells both.
pub async fn empty_wallet(transcript: &mut Transcript, shop: &mut Shop) -> Result<()> {
    transcript.chapter("An empty wallet");
    rescued(transcript, shop).await?;
    lapsed(transcript, shop).await
}

async fn rescued(transcript: &mut Transcript, shop: &mut Shop) -> Result<()> {
    let paid = shop.charges().await?.len();
    let due = shop::local(shop.subscription().await?.period_end_time)?;
    shop.advance(&due.checked_add(12.hours())?).await?;
    let subscription = shop.subscription().await?;
    let until = shop::local(subscription.grace_end_time.or(subscription.period_end_time))?;
    transcript.step(&format!(
        "{}: Gil’s wallet does not cover the month; {} until {}",
        due.strftime("%-d %B"),
        named(subscription.state()),
        until.strftime("%-d %B, %H:%M")
    ));
    let text = transcript.saying("My card is on its way");
    let sent = shop.payer.phone().device.send_text(shop.chat, &text).await;
    transcript.check(
        "an empty wallet is past due, charges nothing, and the grace keeps the chat open",
        subscription.state() == SubscriptionState::PastDue
            && sent.is_ok()
            && shop.charges().await?.len() == paid
            && until == due.checked_add((24 * GRACE_DAYS).hours())?,
        sent.err().map_or("Gil writes on".to_owned(), |error| reason(&error)),
    );
    shop.credit(PRICE).await?;
    let subscription = shop.comes_to(SubscriptionState::Active).await?;
    let (end, left) = (shop::local(subscription.period_end_time)?, shop.wallet().await?);
    let charges = shop.charges().await?.len();
    transcript.step(&format!("{} come in", figure::money("EUR", PRICE)));
    transcript.check(
        "a credit renews at once, for the month that was due and from the day it was due",
        subscription.state() == SubscriptionState::Active
            && (charges, left) == (paid + 1, 0)
            && end.date() == due.date().first_of_month().checked_add(1.month())?.last_of_month(),
        format!("{}, paid until {}", named(subscription.state()), end.strftime("%-d %B %Y")),
    );
    Ok(())
}

async fn lapsed(transcript: &mut Transcript, shop: &mut Shop) -> Result<()> {
    let first = shop.subscription().await?;
    let (due, paid) = (shop::local(first.period_end_time)?, shop.charges().await?.len());
    shop.advance(&due.checked_add((24 * (GRACE_DAYS + 5)).hours())?).await?;
    let state = shop.subscription().await?.state();
    let device = &shop.payer.phone().device;
    let before = device.history(shop.chat)?.len();
    let refused = device.send_text(shop.chat, "Is anybody there?").await.err();
    transcript.step(&format!(
        "nothing comes in, and {GRACE_DAYS} days after {} it has {}",
        due.strftime("%-d %B"),
        named(state)
    ));
    transcript.check(
        "without payment the chat closes for writing: ACCESS_REQUIRED",
        state == SubscriptionState::Lapsed
            && refused.as_ref().and_then(plasma_client::Error::reason)
                == Some(ErrorReason::AccessRequired),
        refused.map_or("the message was taken".to_owned(), |error| reason(&error)),
    );
    let listed = device.chats().await?.iter().any(|chat| chat.chat_id == shop.chat.to_string());
    let shown = device.history(shop.chat)?;
    let kept = shown.iter().filter(|message| transcript.said().contains(&message.text)).count();
    transcript.check(
        "and stays open for reading: the chat and its messages are there",
        listed && before >= 2 && kept >= 2 && shop.charges().await?.len() == paid,
        format!("{kept} messages, and no charge"),
    );
    shop.credit(10 * PRICE).await?;
    shop.pay().await?;
    let again = shop.subscription().await?;
    let text = transcript.saying("Here I am again");
    let sent = shop.payer.phone().device.send_text(shop.chat, &text).await;
    transcript.step("money comes in, and Gil subscribes again");
    transcript.check(
        "a payment opens it again at once, with a month of its own from that moment",
        sent.is_ok()
            && again.state() == SubscriptionState::Active
            && again.subscription_id != first.subscription_id
            && shop.wallet().await? == 9 * PRICE
            && shop::local(again.anchor_time)?.date() == shop.now().await?.date(),
        sent.err().map_or("Gil writes again".to_owned(), |error| reason(&error)),
    );
    Ok(())
}
