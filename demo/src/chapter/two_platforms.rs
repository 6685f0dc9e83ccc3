//! A chat between platforms: refused while one of them does not allow it, paid across when both do.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use plasma_client::{ContactLink, Resolved, accept};
use plasma_proto::billing::v1::statement_service_client::StatementServiceClient;
use plasma_proto::billing::v1::{AccountPurpose, GetStatementRequest, StatementLine};
use plasma_proto::error::v1::ErrorReason;
use plasma_proto::tenant::v1::tenant_service_client::TenantServiceClient;
use plasma_proto::tenant::v1::{AccessMode, TenantPolicy, UpdateTenantRequest};
use plasma_testkit::platform::amount;
use plasma_testkit::{Platform, secret};
use prost_types::FieldMask;
use tonic::transport::Channel;

use super::contact::available;
use super::opening::Stage;
use super::people::Cast;
use super::platforms::Platforms;
use super::refusals::{NEW_PRICE, reason};
use crate::figure;
use crate::person::{Person, SOON};
use crate::transcript::Transcript;

const DORA_GETS: i64 = 2_000;

/// Tells how Dora of the bank reaches Bob of the studio.
pub async fn both_allow(
    transcript: &mut Transcript,
    stage: &Stage,
    platforms: &Platforms,
    cast: &Cast,
    dora: &Person,
) -> Result<()> {
    transcript.chapter("A chat between platforms");
    let channel = stage.cluster.node(0).channel()?;
    let link = cast.bob.phone().device.create_link().await?;
    let refused = dora.phone().device.resolve(&link).await;
    let error = refused.err().context("the bank does not allow it")?;
    transcript.check(
        "while one platform does not allow it, a chat between platforms is refused",
        error.reason() == Some(ErrorReason::CrossPlatformNotAllowed),
        reason(&error),
    );
    platforms.bank.credit(&dora.user_id, amount("EUR", DORA_GETS)).await?;
    allow(&platforms.bank, channel.clone()).await?;
    transcript.step("the bank allows its users to chat with users of other platforms");
    let (resolved, waited) = resolved_soon(dora, &link).await?;
    transcript.step(&format!("Dora resolves Bob’s link: {}", figure::quote(&resolved.quote)));
    let device = &dora.phone().device;
    let opened = device.open_chat(&resolved, accept(&resolved.quote)).await?;
    let chat = opened.chat.id;
    let ask = transcript.saying("Do you value frames as well?");
    dora.say(chat, &ask).await?;
    for gadget in &cast.bob.gadgets {
        gadget.shows(chat, &ask).await?;
    }
    let reply = transcript.saying("Only with the picture in it");
    cast.bob.say(chat, &reply).await?;
    dora.phone().shows(chat, &reply).await?;
    transcript.step(&format!("Dora: {ask}"));
    transcript.step(&format!(" Bob: {reply}"));
    transcript.check(
        "once both platforms allow it, it works both ways",
        dora.user().tenant != cast.bob.user().tenant && waited <= 5.0,
        format!("in force after {waited:.1} s"),
    );
    let left = available(&platforms.bank, &dora.user_id).await?;
    books(transcript, platforms, channel, left).await
}

async fn allow(platform: &Platform, channel: Channel) -> Result<()> {
    let request = UpdateTenantRequest {
        request_id: secret::request_id(),
        tenant_id: platform.tenant_id().to_owned(),
        policy: Some(TenantPolicy {
            access_mode: AccessMode::Free.into(),
            allow_other_platforms: true,
            account_reset_delay: None,
        }),
        update_mask: Some(FieldMask { paths: vec!["policy".to_owned()] }),
        ..UpdateTenantRequest::default()
    };
    TenantServiceClient::new(channel).update_tenant(platform.admin(request)?).await?;
    Ok(())
}

/// A change of policy is in force on every node within five seconds.
async fn resolved_soon(dora: &Person, link: &ContactLink) -> Result<(Resolved, f64)> {
    let begun = Instant::now();
    loop {
        match dora.phone().device.resolve(link).await {
            Ok(resolved) => return Ok((resolved, begun.elapsed().as_secs_f64())),
            Err(error) if error.reason() == Some(ErrorReason::CrossPlatformNotAllowed) => {
                ensure!(begun.elapsed() < SOON, "the new policy is not in force after {SOON:?}");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn statement(platform: &Platform, channel: Channel) -> Result<Vec<StatementLine>> {
    let request =
        GetStatementRequest { currency_code: "EUR".to_owned(), start_time: None, end_time: None };
    let mut client = StatementServiceClient::new(channel);
    Ok(client.get_statement(platform.admin(request)?).await?.into_inner().lines)
}

/// What the bank owes, the studio is owed; and each side's books add up to nothing.
async fn books(
    transcript: &mut Transcript,
    platforms: &Platforms,
    channel: Channel,
    left: i64,
) -> Result<()> {
    let bank = statement(&platforms.bank, channel.clone()).await?;
    let studio = statement(&platforms.studio, channel).await?;
    transcript.step("the studio’s statement");
    for line in &studio {
        let purpose = line.purpose().as_str_name().trim_start_matches("ACCOUNT_PURPOSE_");
        transcript.detail(&purpose.to_lowercase(), figure::money("EUR", line.closing_minor_units));
    }
    let closing = |lines: &[StatementLine], purpose| {
        let of = lines.iter().filter(|line| line.purpose() == purpose);
        of.map(|line| line.closing_minor_units).sum::<i64>()
    };
    let owed = closing(&bank, AccountPurpose::DueTo);
    let due = closing(&studio, AccountPurpose::DueFrom);
    transcript.check(
        "the payer’s own wallet pays, and one platform owes what the other is due",
        left == DORA_GETS - NEW_PRICE && owed != 0 && owed.abs() == due.abs(),
        format!("wallet {}; due {}", figure::money("EUR", left), figure::money("EUR", owed.abs())),
    );
    let sums = [&bank, &studio]
        .map(|lines| lines.iter().map(|line| line.closing_minor_units).sum::<i64>());
    transcript.check(
        "each platform’s books add up to nothing",
        !bank.is_empty() && !studio.is_empty() && sums == [0, 0],
        format!("{} and {}", figure::money("EUR", sums[0]), figure::money("EUR", sums[1])),
    );
    Ok(())
}
