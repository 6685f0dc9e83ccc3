//! The price rises: the subscriber keeps the old one until the new one is accepted.

use anyhow::{Context, Result};
use jiff::ToSpan;
use plasma_proto::billing::v1::access_service_client::AccessServiceClient;
use plasma_proto::billing::v1::{
    AcceptPriceChangeRequest, AcceptedPrice, PriceTerms, Subscription,
};
use plasma_testkit::secret;

use super::shop::{self, PRICE, RECIPIENT_SHARE, Shop};
use crate::figure;
use crate::transcript::Transcript;

/// What a month costs after the rise, in cents.
pub const RAISED: i64 = 1_490;

/// Tells the rise, the question and the answer.
pub async fn price_rise(transcript: &mut Transcript, shop: &mut Shop) -> Result<()> {
    transcript.chapter("A dearer price");
    shop.platform.publish_price(shop::monthly(RAISED, None), None, RECIPIENT_SHARE).await?;
    transcript.step(&format!(
        "the platform raises the month from {} to {}",
        figure::money("EUR", PRICE),
        figure::money("EUR", RAISED)
    ));
    let kept = next_month(shop).await?;
    let subscription = shop.subscription().await?;
    let asked = subscription.price_change.clone();
    let new = asked.as_ref().and_then(|change| change.terms.as_ref().and_then(PriceTerms::amount));
    transcript.check(
        "a subscriber keeps the old price, and is asked about the new one",
        kept == PRICE
            && new.map(|amount| amount.minor_units) == Some(RAISED)
            && asked.as_ref().is_some_and(|change| !change.accepted),
        format!(
            "charged {}, asked for {}",
            figure::money("EUR", kept),
            new.map_or("nothing".to_owned(), figure::amount)
        ),
    );
    let accepted = accept(shop, &subscription).await?;
    let left = shop.wallet().await?;
    transcript.step("Gil accepts it on his phone");
    let paid = next_month(shop).await?;
    let after = shop.subscription().await?;
    transcript.check(
        "once accepted, the new price is paid from the next renewal on and not before",
        paid == RAISED
            && accepted.price_change.is_some_and(|change| change.accepted)
            && shop.wallet().await? == left - RAISED
            && after.price_change.is_none(),
        format!("charged {}", figure::money("EUR", paid)),
    );
    Ok(())
}

/// Lets the month end that runs; what the next one was charged, or 0.
pub async fn next_month(shop: &Shop) -> Result<i64> {
    let before = shop.charges().await?.len();
    let end = shop::local(shop.subscription().await?.period_end_time)?;
    shop.advance(&end.checked_add(6.hours())?).await?;
    let charges = shop.charges().await?;
    Ok(charges[before..].iter().map(|charge| charge.amount_minor_units).sum())
}

async fn accept(shop: &Shop, subscription: &Subscription) -> Result<Subscription> {
    let change = subscription.price_change.as_ref().context("a price change")?;
    let request = AcceptPriceChangeRequest {
        request_id: secret::request_id(),
        subscription_id: subscription.subscription_id.clone(),
        accepted_price: Some(AcceptedPrice {
            price_id: change.price_id.clone(),
            amount: change.terms.as_ref().and_then(PriceTerms::amount).cloned(),
            trial: false,
        }),
    };
    let accepted = shop.payer.phone().device.call(request, |channel, request| async move {
        AccessServiceClient::new(channel).accept_price_change(request).await
    });
    accepted.await?.subscription.context("a subscription")
}
