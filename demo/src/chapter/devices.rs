//! A third device joins and leaves, a thief with a device is cut off, and a service that swaps keys
//! is found out.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use plasma_client::{ChatId, Device, Endpoint, RecoveryKey, Store, Trust};
use plasma_testkit::Proxy;

use super::lies;
use super::opening::Stage;
use super::people::Cast;
use super::platforms::Platforms;
use crate::person::{Gadget, tenant_of, until};
use crate::transcript::Transcript;

/// Tells it with Ann's devices, in her chat with Bob.
pub async fn come_and_go(
    transcript: &mut Transcript,
    stage: &Stage,
    platforms: &Platforms,
    cast: &mut Cast,
    chat: ChatId,
) -> Result<()> {
    transcript.chapter("A third device, a thief, and a service that lies");
    let tablet = link(transcript, stage, platforms, cast, chat).await?;
    revoke(transcript, cast, tablet, chat).await?;
    steal_and_recover(transcript, stage, platforms, cast, chat).await
}

/// Ann's tablet shows a code; her phone scans it.
async fn link(
    transcript: &mut Transcript,
    stage: &Stage,
    platforms: &Platforms,
    cast: &mut Cast,
    chat: ChatId,
) -> Result<Gadget> {
    let (endpoint, ann) = (stage.endpoint(0), &cast.ann);
    let store = Store::open(&stage.devices.path().join("Ann-tablet.sqlite"))?;
    let token = platforms.studio.user_token(&ann.partner_id)?;
    let (tenant, name) = (tenant_of(&platforms.studio)?, "Ann’s tablet");
    let mut pending = Device::start_linking(&endpoint, store, tenant, &token, name).await?;
    transcript.step("Ann’s tablet shows a code, good for two minutes; her phone scans it");
    transcript.block(&pending.qr_terminal()?);
    let code = pending.qr_text();
    let mut approval = ann.phone().device.scan_linking(&code).await?;
    let (seen, shown) = (approval.check_code(), pending.check_code().await?.code);
    transcript.check("both screens show the same check code", seen == shown, &shown);
    let again = ann.laptop().device.scan_linking(&code).await;
    let refused = again.err().context("the code was used twice")?;
    transcript.check("the code serves one approver: the laptop is refused", true, &refused);
    let joining = tokio::spawn(pending.complete());
    let details = approval.details().await?;
    transcript.check(
        "the phone sees what it is about to add",
        details.device_name == name && details.devices.len() == 2,
        format!("“{}”, the third of at most ten", details.device_name),
    );
    approval.approve(false).await?;
    let mut tablet = Gadget::new(name.to_owned(), joining.await??);
    let knows = tablet.device.trust(cast.bob.user())?;
    transcript.check(
        "the tablet has Ann’s contacts, verified fingerprints included",
        knows == Some(Trust::Verified),
        format!("{knows:?}"),
    );
    tablet.online().await?;
    let text = transcript.saying("Nice tablet");
    let report = cast.bob.say(chat, &text).await?;
    tablet.shows(chat, &text).await?;
    transcript.check(
        "what Bob writes now is sealed for three devices of Ann",
        report.deliveries.len() == 4,
        format!("{} envelopes, one of them for Bob’s laptop", report.deliveries.len()),
    );
    Ok(tablet)
}

/// The tablet is removed; what is written afterwards is not for it.
async fn revoke(
    transcript: &mut Transcript,
    cast: &mut Cast,
    tablet: Gadget,
    chat: ChatId,
) -> Result<()> {
    let ann = &cast.ann;
    let begun = Instant::now();
    ann.phone().device.revoke_device(tablet.device.address().device).await?;
    transcript.step("Ann’s phone removes the tablet");
    until("the tablet’s stream to end", || Ok(tablet.stopped().is_some())).await?;
    transcript.check(
        "its stream ends within 5 seconds, and it says why",
        begun.elapsed() < Duration::from_secs(5),
        tablet.stopped().unwrap_or_default(),
    );
    let text = transcript.saying("Just us again");
    let report = cast.bob.say(chat, &text).await?;
    ann.phone().shows(chat, &text).await?;
    ann.laptop().shows(chat, &text).await?;
    let refused = tablet.device.pull(Duration::ZERO).await.err();
    transcript.check(
        "nothing that is written afterwards reaches it",
        report.deliveries.len() == 3 && refused.is_some() && !tablet.texts(chat)?.contains(&text),
        refused.map_or_else(|| "it was served".to_owned(), |error| error.to_string()),
    );
    Ok(())
}

/// Ann’s laptop, which may approve, is stolen. The thief removes her phone; the recovery key brings
/// her back on a new one, whose first connection is to a service that lies.
async fn steal_and_recover(
    transcript: &mut Transcript,
    stage: &Stage,
    platforms: &Platforms,
    cast: &mut Cast,
    chat: ChatId,
) -> Result<()> {
    let phone = cast.ann.phone().device.clone();
    let key = phone.create_recovery_kit().await?;
    let words = key.words();
    phone.confirm_recovery_kit(&words).await?;
    transcript.step("Ann writes down twelve words and types them back; the root leaves her phone");
    let before = phone.own_account()?.fingerprint();

    let thief = cast.ann.laptop().device.clone();
    thief.revoke_device(phone.address().device).await?;
    transcript.step("her laptop, which may approve, is stolen, and the thief removes her phone");
    until("the phone to be cut off", || Ok(cast.ann.phone().stopped().is_some())).await?;

    let proxy = Proxy::start(stage.cluster.node(0).channel()?).await?;
    let store = Store::open(&stage.devices.path().join("Ann-new-phone.sqlite"))?;
    let token = platforms.studio.user_token(&cast.ann.partner_id)?;
    let tenant = tenant_of(&platforms.studio)?;
    let typed = RecoveryKey::from_words(&words.to_uppercase())?;
    let endpoint = Endpoint::new(proxy.url());
    let phone = Device::recover(&endpoint, store, tenant, &token, &typed, &[]).await?;
    transcript.step("on a new phone Ann types the words, and keeps none of the old devices");
    let own = phone.own_account()?;
    transcript.check(
        "a new generation of the account lists her new phone alone, under the same fingerprint",
        own.generation() == 1 && own.devices().len() == 1 && own.fingerprint() == before,
        format!("generation {}, {} device", own.generation(), own.devices().len()),
    );
    let refused = thief.send_text(chat, "Send me your card number").await.err();
    transcript.check(
        "the thief can write no more",
        refused.is_some(),
        refused.map_or_else(|| "the message was taken".to_owned(), |error| error.to_string()),
    );
    lies::ghost_and_swapped_keys(transcript, &proxy, &phone, cast, chat).await?;

    cast.ann.gadgets = vec![Gadget::new("Ann’s new phone".to_owned(), phone)];
    cast.ann.online().await?;
    let text = transcript.saying("Lost my bag, this is my new phone");
    cast.ann.say(chat, &text).await?;
    cast.bob.phone().shows(chat, &text).await?;
    let trust = cast.bob.phone().device.trust(cast.ann.user())?;
    transcript.check(
        "Bob reads on without a warning: the root is the same",
        trust.is_some_and(|trust| !matches!(trust, Trust::Changed { .. })),
        format!("{trust:?}"),
    );
    let text = transcript.saying("Glad you are back");
    let report = cast.bob.say(chat, &text).await?;
    cast.ann.phone().shows(chat, &text).await?;
    transcript.check(
        "his answer is sealed for the new phone and for none of the thief’s devices",
        report.deliveries.len() == 2,
        format!("{} envelopes, one of them for his laptop", report.deliveries.len()),
    );
    Ok(())
}
