//! A charge is given back in two parts; a subscription is cancelled, kept after all, and cancelled.

use anyhow::{Context, Result};
use plasma_proto::billing::v1::access_service_client::AccessServiceClient;
use plasma_proto::billing::v1::{
    CancelSubscriptionRequest, Charge, Refund, RefundChargeRequest, Subscription,
    SubscriptionState, UndoCancellationRequest,
};
use plasma_testkit::platform::amount;
use plasma_testkit::secret;
use tonic::Status;

use super::consent::{RAISED, next_month};
use super::shop::{Shop, named};
use crate::figure;
use crate::transcript::Transcript;

/// What of the charge is given back at first, in cents: a part that nothing divides evenly.
const PART: i64 = 333;

/// Tells both.
pub async fn given_back(transcript: &mut Transcript, shop: &mut Shop) -> Result<()> {
    transcript.chapter("Given back, cancelled and kept");
    refunded(transcript, shop).await?;
    cancelled(transcript, shop).await
}

async fn refunded(transcript: &mut Transcript, shop: &Shop) -> Result<()> {
    let charge = shop.charges().await?.pop().context("a charge")?;
    let before = shop.wallet().await?;
    let split =
        [charge.operator_minor_units, charge.recipient_minor_units, charge.platform_minor_units];
    transcript.step(&format!(
        "the last charge was {}, split into {}",
        figure::money("EUR", charge.amount_minor_units),
        shown(split)
    ));
    let mut back = [0; 3];
    for wanted in [Some(PART), None] {
        let refund = refund(shop, &charge, wanted).await?;
        let parts = parts(&refund);
        transcript.detail(
            &figure::amount(&refund.amount.unwrap_or_default()),
            format!("given back of {}", shown(parts)),
        );
        back = [back[0] + parts[0], back[1] + parts[1], back[2] + parts[2]];
    }
    let wallet = shop.wallet().await?;
    transcript.check(
        "refunds reverse the split of their charge to the cent, and the payer has it all back",
        back == split && wallet == before + charge.amount_minor_units,
        format!("{} given back; wallet {}", shown(back), figure::money("EUR", wallet)),
    );
    let refused = refund(shop, &charge, Some(1)).await.err();
    transcript.check(
        "more than was charged is not given back",
        refused.is_some() && shop.wallet().await? == wallet,
        refused.map_or("a cent more was given".to_owned(), |status| status.message().to_owned()),
    );
    Ok(())
}

async fn refund(shop: &Shop, charge: &Charge, wanted: Option<i64>) -> Result<Refund, Status> {
    let request = RefundChargeRequest {
        request_id: secret::request_id(),
        charge_id: charge.charge_id.clone(),
        amount: wanted.map(|minor_units| amount("EUR", minor_units)),
        end_access: false,
        reference: String::new(),
    };
    let request =
        shop.platform.backend(request).map_err(|error| Status::internal(error.to_string()))?;
    let answer = AccessServiceClient::new(shop.channel.clone()).refund_charge(request).await?;
    Ok(answer.into_inner().refund.unwrap_or_default())
}

fn parts(refund: &Refund) -> [i64; 3] {
    [refund.operator_minor_units, refund.recipient_minor_units, refund.platform_minor_units]
}

fn shown(parts: [i64; 3]) -> String {
    parts.map(|part| figure::money("EUR", part)).join(" + ")
}

async fn cancelled(transcript: &mut Transcript, shop: &Shop) -> Result<()> {
    let cancelled = cancel(shop).await?;
    let kept = undo(shop).await?;
    transcript.step("Gil cancels, and a minute later keeps it after all");
    let paid = next_month(shop).await?;
    transcript.check(
        "a cancellation that is undone changes nothing",
        cancelled.cancel_at_period_end && !kept.cancel_at_period_end && paid == RAISED,
        format!("the next month was charged: {}", figure::money("EUR", paid)),
    );
    let cancelled = cancel(shop).await?;
    let text = transcript.saying("I will be here until the month is over");
    let sent = shop.payer.say(shop.chat, &text).await;
    let paid = next_month(shop).await?;
    let state = shop.subscription().await?.state();
    let refused = shop.payer.phone().device.send_text(shop.chat, "One more?").await;
    transcript.check(
        "one that stands keeps the chat open for the month that is paid, and then ends it",
        cancelled.state() == SubscriptionState::Active
            && sent.is_ok()
            && paid == 0
            && state == SubscriptionState::Ended
            && refused.is_err(),
        format!("{}, {} charged", named(state), figure::money("EUR", paid)),
    );
    Ok(())
}

async fn cancel(shop: &Shop) -> Result<Subscription> {
    let subscription_id = shop.subscription().await?.subscription_id;
    let request = CancelSubscriptionRequest { request_id: secret::request_id(), subscription_id };
    let answer = shop.payer.phone().device.call(request, |channel, request| async move {
        AccessServiceClient::new(channel).cancel_subscription(request).await
    });
    answer.await?.subscription.context("a subscription")
}

async fn undo(shop: &Shop) -> Result<Subscription> {
    let subscription_id = shop.subscription().await?.subscription_id;
    let request = UndoCancellationRequest { request_id: secret::request_id(), subscription_id };
    let answer = shop.payer.phone().device.call(request, |channel, request| async move {
        AccessServiceClient::new(channel).undo_cancellation(request).await
    });
    answer.await?.subscription.context("a subscription")
}
