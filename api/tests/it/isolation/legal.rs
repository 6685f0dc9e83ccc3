//! Chats between platforms that both allow them: what their users may reach of each other, and
//! that it ends at the peer of the own chat.

use plasma_proto::error::v1::ErrorReason;
use plasma_proto::error_info::reason_of;
use plasma_proto::messaging::v1 as pb;
use plasma_testkit::{Cluster, Onboarding};
use prost::Message;

use crate::wire::{Wire, describe};
use crate::world::{Gadget, Person, Twin, envelope, fresh_id, open_chat, resolve};

/// The two platforms are paid ones that are open to other platforms.
pub(super) async fn check(cluster: &Cluster, wire: &Wire) {
    let operator = cluster.operator_key();
    let onboarding = Onboarding::paid("Open", 500).open_to_other_platforms();
    let here = Twin::make(wire, operator, &onboarding).await;
    let there = Twin::make(wire, operator, &onboarding).await;
    let (ann, bob, stranger) = (&here.ann, &there.bob, &there.ann);

    for before in [bob, stranger] {
        must_be_absent(wire, ann, before).await;
    }
    let resolved = resolve(wire, ann, &there.link_token).await;
    assert_eq!(resolved.owner.unwrap().user, Some(bob.user()));
    let chat = open_chat(wire, ann, &there.link_token).await;

    let token = Some(ann.token());
    let request = pb::GetAccountRequest { user: Some(bob.user()), after_epoch: 0 };
    let method = "messaging.v1.DeviceService/GetAccount";
    let answer: pb::GetAccountResponse = wire.ask(method, token, &request).await;
    assert_eq!(answer.account.unwrap().certificates.len(), 2);
    let method = "messaging.v1.KeyService/TakePrekeyBundles";
    let answer: pb::TakePrekeyBundlesResponse = wire.ask(method, token, &bundles(bob)).await;
    assert_eq!(answer.bundles.len(), 2);
    let method = "messaging.v1.MessageService/SendControl";
    let request = control(&chat, &bob.devices[0]);
    let _: pb::SendControlResponse = wire.ask(method, token, &request).await;
    let request = there_message(&chat, ann, bob);
    let method = "messaging.v1.MessageService/Send";
    let answer: pb::SendResponse = wire.ask(method, token, &request).await;
    assert!(matches!(answer.outcome, Some(pb::send_response::Outcome::Accepted(_))));

    // The peer's platform opens no further: another user of it is as absent as nobody is, and so
    // is a device of hers in the chat with the peer, and the chat for users who are not in it.
    must_be_absent(wire, ann, stranger).await;
    let path = "/plasma.messaging.v1.MessageService/SendControl";
    let of_stranger = refusal(wire, path, ann, &control(&chat, &stranger.devices[0])).await;
    let mut nobody = control(&chat, &stranger.devices[0]);
    nobody.envelope.as_mut().unwrap().device_id = fresh_id("device");
    assert_eq!(of_stranger, refusal(wire, path, ann, &nobody).await);
    for outsider in [stranger, &here.bob] {
        let path = "/plasma.messaging.v1.ChatService/GetChat";
        let own_chat = pb::GetChatRequest { chat_id: chat.clone() };
        let absent = pb::GetChatRequest { chat_id: fresh_id("chat") };
        let told = refusal(wire, path, outsider, &own_chat).await;
        assert_eq!(told, refusal(wire, path, outsider, &absent).await);
    }
}

fn control(chat: &str, device: &Gadget) -> pb::SendControlRequest {
    pb::SendControlRequest {
        chat_id: chat.to_owned(),
        message_id: fresh_id("msg"),
        envelope: Some(envelope(&device.device_id())),
    }
}

fn there_message(chat: &str, from: &Person, to: &Person) -> pb::SendRequest {
    let seal = |device: &Gadget| envelope(&device.device_id());
    pb::SendRequest {
        chat_id: chat.to_owned(),
        message_id: fresh_id("msg"),
        peer_envelopes: to.devices.iter().map(seal).collect(),
        own_envelopes: from.devices.iter().skip(1).map(seal).collect(),
        peer_manifest_hash: to.manifest_hash().into(),
        own_manifest_hash: from.manifest_hash().into(),
        ephemeral: false,
        envelope_class: pb::EnvelopeClass::Message.into(),
    }
}

fn bundles(of: &Person) -> pb::TakePrekeyBundlesRequest {
    let device_ids = of.devices.iter().map(Gadget::device_id).collect();
    pb::TakePrekeyBundlesRequest { user: Some(of.user()), device_ids }
}

/// A user of the other platform, without a chat, answers as one that does not exist.
async fn must_be_absent(wire: &Wire, caller: &Person, other: &Person) {
    let nobody = pb::UserAddress { tenant_id: other.user().tenant_id, user_id: fresh_id("user") };
    let path = "/plasma.messaging.v1.DeviceService/GetAccount";
    let ask =
        |user: &pb::UserAddress| pb::GetAccountRequest { user: Some(user.clone()), after_epoch: 0 };
    let told = refusal(wire, path, caller, &ask(&other.user())).await;
    assert_eq!(told, refusal(wire, path, caller, &ask(&nobody)).await);
    let path = "/plasma.messaging.v1.KeyService/TakePrekeyBundles";
    let mut absent = bundles(other);
    let told = refusal(wire, path, caller, &absent).await;
    absent.user = Some(nobody);
    assert_eq!(told, refusal(wire, path, caller, &absent).await);
}

/// The bytes of a refusal, which is `NOT_FOUND`.
async fn refusal(
    wire: &Wire,
    path: &str,
    caller: &Person,
    request: &impl Message,
) -> (String, Vec<u8>) {
    let answer = wire.call(path, Some(caller.token()), request.encode_to_vec()).await;
    let status = answer.expect_err(path);
    assert_eq!(reason_of(&status), Some(ErrorReason::NotFound), "{path}: {}", describe(&status));
    (status.message().to_owned(), status.details().to_vec())
}
