//! Ann scans Bob's link, sees the price, checks who he is, and pays.

use anyhow::{Context, Result, ensure};
use plasma_client::{ChatId, ContactLink, Error, Trust};
use plasma_proto::billing::v1::statement_service_client::StatementServiceClient;
use plasma_proto::billing::v1::{Charge, ListChargesRequest};
use plasma_testkit::Platform;
use tonic::transport::Channel;

use super::opening::Stage;
use super::people::{ANN_HAS, Cast};
use super::platforms::{PASS_SECONDS, PRICE, Platforms};
use crate::figure;
use crate::transcript::Transcript;

/// Lists the charges of a platform, newest first.
pub async fn charges(platform: &Platform, channel: Channel) -> Result<Vec<Charge>> {
    let request = ListChargesRequest { page_size: 0, page_token: String::new() };
    let mut client = StatementServiceClient::new(channel);
    Ok(client.list_charges(platform.admin(request)?).await?.into_inner().charges)
}

/// Returns what a user can spend, in minor units.
pub async fn available(platform: &Platform, user_id: &str) -> Result<i64> {
    let wallet = platform.wallet(user_id, "EUR").await?;
    Ok(wallet.available.context("an available amount")?.minor_units)
}

/// Tells the story from the QR code to the open chat.
pub async fn scan_and_pay(
    transcript: &mut Transcript,
    stage: &Stage,
    platforms: &Platforms,
    cast: &Cast,
) -> Result<ChatId> {
    transcript.chapter("Ann scans Bob’s link and pays");
    let link = cast.bob.phone().device.create_link().await?;
    transcript.step("Bob’s phone makes a contact link, with his fingerprint behind the #");
    transcript.block(&link.qr_terminal()?);
    transcript.block(&link.to_string());
    let scanned: ContactLink = link.to_string().parse()?;
    refuse_other_fingerprint(transcript, cast, &scanned).await?;

    let ann = &cast.ann.phone().device;
    let resolved = ann.resolve(&scanned).await?;
    transcript.step("Ann’s phone resolves it");
    transcript.detail("platform", &resolved.platform_display_name);
    transcript.detail("owner", figure::id(&cast.bob.user_id));
    transcript.detail("fingerprint", figure::fingerprint(&resolved.fingerprint.to_string()));
    transcript.detail("quote", figure::quote(&resolved.quote));
    transcript.check(
        "the link leads to Bob and shows the price before anything is paid",
        resolved.owner == cast.bob.user()
            && figure::price_of(&resolved.quote) == PRICE
            && available(&platforms.studio, &cast.ann.user_id).await? == ANN_HAS,
        figure::quote(&resolved.quote),
    );
    let bobs = cast.bob.phone().device.own_account()?.fingerprint();
    transcript.check(
        "the fingerprint in the link is that of the account shown, and of Bob’s own phone",
        resolved.trust == Trust::Verified && resolved.fingerprint == bobs,
        "verified",
    );
    let opened = ann.open_chat(&resolved, plasma_client::accept(&resolved.quote)).await?;
    let pass = opened.pass.context("a pass")?;
    transcript.step("Ann accepts the price: the chat is open");
    transcript.detail("chat", figure::id(&opened.chat.id.to_string()));
    transcript.detail("pass", figure::id(&pass.pass_id));
    let lasts =
        pass.expire_time.zip(pass.start_time).map(|(end, start)| end.seconds - start.seconds);
    let left = available(&platforms.studio, &cast.ann.user_id).await?;
    transcript.check(
        "the price is paid once and the pass lasts as promised",
        left == ANN_HAS - PRICE && lasts == Some(PASS_SECONDS),
        format!("{} left of {}", figure::money("EUR", left), figure::money("EUR", ANN_HAS)),
    );
    split(transcript, platforms, cast, stage.cluster.node(0).channel()?).await?;
    Ok(opened.chat.id)
}

/// A link that names another person's fingerprint must open nothing.
async fn refuse_other_fingerprint(
    transcript: &mut Transcript,
    cast: &Cast,
    link: &ContactLink,
) -> Result<()> {
    let other = cast.ann.phone().device.own_account()?.fingerprint();
    let forged: ContactLink = format!("{}{}", link.url(), other.to_fragment()).parse()?;
    let refused = cast.ann.phone().device.resolve(&forged).await;
    let seen = match &refused {
        Err(Error::FingerprintMismatch { .. }) => "refused by Ann’s phone",
        Err(_) => "another error",
        Ok(_) => "accepted",
    };
    let passed = matches!(refused, Err(Error::FingerprintMismatch { .. }));
    transcript.check("a link with another fingerprint is refused", passed, seen);
    Ok(())
}

async fn split(
    transcript: &mut Transcript,
    platforms: &Platforms,
    cast: &Cast,
    channel: Channel,
) -> Result<()> {
    let charges = charges(&platforms.studio, channel).await?;
    ensure!(charges.len() == 1, "one charge is expected, {} are listed", charges.len());
    let charge = &charges[0];
    let money = |minor_units| figure::money(&charge.currency_code, minor_units);
    let parts = [
        ("operator", charge.operator_minor_units),
        ("recipient (Bob)", charge.recipient_minor_units),
        ("platform", charge.platform_minor_units),
    ];
    transcript.step("the platform’s list of charges shows the split");
    for (part, minor_units) in parts {
        transcript.detail(part, money(minor_units));
    }
    let sum: i64 = parts.iter().map(|(_, minor_units)| minor_units).sum();
    transcript.check(
        "the price is split between operator, recipient and platform, and the parts add up",
        charge.amount_minor_units == PRICE
            && sum == PRICE
            && parts.map(|(_, minor_units)| minor_units) == [99, 720, 180]
            && charge.payer_user_id == cast.ann.user_id
            && charge.recipient_user_id == cast.bob.user_id,
        format!("{} = {}", parts.map(|(_, part)| money(part)).join(" + "), money(sum)),
    );
    Ok(())
}
