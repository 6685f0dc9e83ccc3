//! What a service could try with the keys that it hands out, and how a device answers.

use anyhow::{Context, Result};
use plasma_client::{ChatId, Device, Error, Uuid, wire};
use plasma_e2ee::DeviceKeys;
use plasma_e2ee::rand_core::UnwrapErr;
use plasma_identity::{
    Capabilities, CertificateTerms, DeviceCertificate, Issuer, Manifest, ManifestStatement,
    VerifiedAccount,
};
use plasma_proto::id;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::key_service_client::KeyServiceClient;
use plasma_testkit::Proxy;

use super::people::Cast;
use crate::transcript::Transcript;

/// A device of Bob’s that Bob has never seen, and keys that are not his; then the truth.
pub async fn ghost_and_swapped_keys(
    transcript: &mut Transcript,
    proxy: &Proxy,
    phone: &Device,
    cast: &Cast,
    chat: ChatId,
) -> Result<()> {
    let (bob, text) = (&cast.bob.phone().device, "Is it still you?");
    transcript.step("the service between Ann and Bob lies: it lists a device of its own as Bob’s");
    let (certificate, manifest) = ghost(&bob.own_account()?)?;
    proxy.change("GetAccount", move |answer: &mut pb::GetAccountResponse| {
        if let Some(account) = &mut answer.account {
            account.certificates.push(certificate.clone().into());
            account.manifests.push(manifest.clone().into());
        }
    });
    let refused = phone.send_text(chat, text).await.err();
    transcript.check(
        "a ghost device is found out, and nothing is sent",
        matches!(refused, Some(Error::Identity { .. })),
        said(refused),
    );
    proxy.restore("GetAccount");

    transcript.step("it hands out another device’s keys as those of Bob’s phone");
    let others = bundle_of(bob, phone).await?;
    proxy.change("TakePrekeyBundles", move |answer: &mut pb::TakePrekeyBundlesResponse| {
        for bundle in &mut answer.bundles {
            let device_id = std::mem::take(&mut bundle.device_id);
            *bundle = pb::PrekeyBundle { device_id, ..others.clone() };
        }
    });
    let refused = phone.send_text(chat, text).await.err();
    transcript.check(
        "swapped keys are found out, and nothing is sent",
        matches!(refused, Some(Error::Bundle { .. })),
        said(refused),
    );
    proxy.restore("TakePrekeyBundles");
    Ok(())
}

fn said(refused: Option<Error>) -> String {
    refused.map_or_else(|| "the message was sealed".to_owned(), |error| error.to_string())
}

/// The best that a service can do: a device with keys of its own, a certificate in the name of one
/// of the account’s approvers, and a manifest that lists it.
fn ghost(account: &VerifiedAccount) -> Result<(Vec<u8>, Vec<u8>)> {
    let approver = account.devices().first().context("a device")?.address().device;
    let address = account.user_address().device(Uuid::from_u128(0x6057));
    let keys = DeviceKeys::generate(address, &mut UnwrapErr(getrandom::SysRng));
    let request = keys.certificate_request(account.fingerprint(), Capabilities::V1);
    let current = account.manifest().statement();
    let issuer = Issuer::Device(approver);
    let terms = CertificateTerms { may_approve: false, not_before: current.issued, issuer };
    let certificate = DeviceCertificate::sign(request, terms, &keys);
    let mut certificates = current.certificates.clone();
    certificates.push(certificate.hash());
    certificates.sort_unstable();
    let statement = ManifestStatement {
        epoch: current.epoch + 1,
        previous: account.manifest_hash(),
        signer: issuer,
        certificates,
        ..current.clone()
    };
    let manifest = Manifest::sign(statement, &keys)?;
    Ok((certificate.to_bytes(), manifest.to_bytes()))
}

/// The keys of a device, as the service hands them to somebody who may write to it.
async fn bundle_of(asker: &Device, device: &Device) -> Result<pb::PrekeyBundle> {
    let request = pb::TakePrekeyBundlesRequest {
        user: Some(wire::user(device.user())),
        device_ids: vec![id::format("device", device.address().device.as_u128())],
    };
    let answer = asker.call(request, |channel, request| async move {
        KeyServiceClient::new(channel).take_prekey_bundles(request).await
    });
    answer.await?.bundles.pop().context("a bundle")
}
