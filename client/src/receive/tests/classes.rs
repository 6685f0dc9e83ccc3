//! What the class of an envelope allows to be shown.

use plasma_proto::content::v1 as content;
use plasma_proto::content::v1::content::Body;
use plasma_proto::messaging::v1::{Envelope, EnvelopeClass};

use super::{pair, reason};
use crate::device::Device;
use crate::device::sealing::{Keeping, Unsealed};
use crate::event::Event;
use crate::id::MessageId;
use crate::not_shown::Repair;
use crate::reason::UndecryptableReason;
use crate::store::outbox::Route;
use crate::testing::{CHAT, envelope, envelope_of, shown};
use crate::{MessageRef, Uuid};

fn of_class(envelope: Envelope, class: EnvelopeClass) -> Envelope {
    Envelope { envelope_class: class.into(), ..envelope }
}

/// Any content, sealed under the class that an honest sender gives it.
async fn sealed(sender: &Device, recipient: &Device, lamport: u64, body: Body) -> Envelope {
    let message = MessageId(sender.inner.env.time_ordered_id());
    let content = sender.encode(Some(CHAT), message, lamport, body).unwrap();
    let unsealed =
        Unsealed { message, route: Route::Chat(CHAT), content: &content, keeping: Keeping::Stored };
    let (own, peer) = (sender.own_account().unwrap(), recipient.own_account().unwrap());
    let request = sender.seal(&own, &peer, unsealed).await.unwrap();
    Envelope {
        envelope_id: crate::id::format("env", sender.inner.env.random_id()),
        chat_id: request.chat_id,
        message_id: request.message_id,
        sender: Some(crate::wire::device(sender.address())),
        ciphertext: request.peer_envelopes[0].ciphertext.clone(),
        envelope_class: request.envelope_class,
        ..Envelope::default()
    }
}

#[tokio::test]
async fn a_message_that_came_as_a_notice_is_not_shown_and_says_why() {
    let (ann, bob) = pair();
    let text = envelope(&ann, &bob, CHAT, "for nothing").await;
    assert_eq!(text.envelope_class(), EnvelopeClass::Message);
    for class in [EnvelopeClass::Notice, EnvelopeClass::Control] {
        let sealed = envelope(&ann, &bob, CHAT, "for nothing").await;
        let events = bob.open_envelope(&of_class(sealed, class)).await.unwrap();
        assert_eq!(reason(&events), Some(UndecryptableReason::WrongClass), "{class:?}");
    }
    assert!(shown(&bob).is_empty());
    let told = bob.not_shown().unwrap();
    assert!(told.iter().all(|told| told.code == "WRONG_CLASS"), "{told:?}");
    assert!(told.iter().all(|told| told.repair == Repair::NotPossible), "{told:?}");

    let events = bob.open_envelope(&text).await.unwrap();
    assert!(matches!(&events[..], [Event::Message(_)]), "{events:?}");
    let text =
        MessageRef { sender: ann.address(), id: MessageId::parse(&text.message_id).unwrap() };
    let about = Some(crate::device::write_ref(text));
    let edit = content::Edit { message: about.clone(), body: "changed".to_owned() };
    let edit = sealed(&ann, &bob, 10, Body::Edit(edit)).await;
    assert_eq!(edit.envelope_class(), EnvelopeClass::Message);
    let events = bob.open_envelope(&of_class(edit, EnvelopeClass::Notice)).await.unwrap();
    assert_eq!(reason(&events), Some(UndecryptableReason::WrongClass));
    let spelt = content::Reaction { message: about, emoji: "meet me".to_owned() };
    let spelt = sealed(&ann, &bob, 11, Body::Reaction(spelt)).await;
    assert_eq!(spelt.envelope_class(), EnvelopeClass::Message);
    let events = bob.open_envelope(&of_class(spelt, EnvelopeClass::Notice)).await.unwrap();
    assert_eq!(reason(&events), Some(UndecryptableReason::WrongClass));
    assert_eq!(shown(&bob), ["for nothing"]);
}

#[tokio::test]
async fn what_is_a_notice_is_sent_as_one_and_applied() {
    let (ann, bob) = pair();
    let text = envelope(&ann, &bob, CHAT, "hello").await;
    bob.open_envelope(&text).await.unwrap();
    let text =
        MessageRef { sender: ann.address(), id: MessageId::parse(&text.message_id).unwrap() };
    let about = Some(crate::device::write_ref(text));
    let read = content::ReceiptKind::Read.into();
    let bodies = [
        (
            0,
            Body::Receipt(content::Receipt {
                kind: read,
                messages: about.clone().into_iter().collect(),
            }),
        ),
        (0, Body::Typing(content::Typing { active: true })),
        (20, Body::DisappearingTimer(content::DisappearingTimer { seconds: 60 })),
        (21, Body::Reaction(content::Reaction { message: about.clone(), emoji: "👍".to_owned() })),
        (22, Body::Deletion(content::Deletion { message: about })),
    ];
    for (lamport, body) in bodies {
        let envelope = sealed(&ann, &bob, lamport, body.clone()).await;
        assert_eq!(envelope.envelope_class(), EnvelopeClass::Notice, "{body:?}");
        let events = bob.open_envelope(&envelope).await.unwrap();
        assert_eq!(reason(&events), None, "{body:?}: {events:?}");
    }
    assert!(bob.not_shown().unwrap().is_empty());
}

/// Something that Bob cannot open and asks for once more: it names a session that he does not have.
async fn unopened(ann: &Device, bob: &Device, id: u128, class: EnvelopeClass) {
    let message = MessageId(Uuid::from_u128(id));
    let mut lost = envelope_of(ann, bob, CHAT, message, 30, "lost").await;
    let mut bytes = lost.ciphertext.to_vec();
    bytes[70] ^= 1;
    lost.ciphertext = bytes.into();
    let events = bob.open_envelope(&of_class(lost, class)).await.unwrap();
    let [Event::Undecryptable(lost)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(lost.repair, Repair::Requested, "{lost:?}");
}

#[tokio::test]
async fn a_repair_brings_what_was_asked_for_and_only_if_it_came_as_a_message() {
    let (ann, bob) = pair();
    bob.open_envelope(&envelope(&ann, &bob, CHAT, "first").await).await.unwrap();
    ann.open_envelope(&envelope(&bob, &ann, CHAT, "answer").await).await.unwrap();
    unopened(&ann, &bob, 51, EnvelopeClass::Message).await;
    unopened(&ann, &bob, 52, EnvelopeClass::Notice).await;

    let again = async |id: u128, text: &str| {
        let message = MessageId(Uuid::from_u128(id));
        let sealed = envelope_of(&ann, &bob, CHAT, message, 30, text).await;
        bob.open_envelope(&of_class(sealed, EnvelopeClass::Control)).await.unwrap()
    };
    // The notice was broken on purpose, to be asked for.
    assert_eq!(reason(&again(52, "free").await), Some(UndecryptableReason::WrongClass));
    assert_eq!(reason(&again(53, "never asked for").await), Some(UndecryptableReason::WrongClass));
    let events = again(51, "lost").await;
    assert!(events.iter().any(|event| matches!(event, Event::Repaired { .. })), "{events:?}");
    let events = again(51, "another text").await;
    assert!(events.is_empty(), "it has come before: {events:?}");
    assert_eq!(shown(&bob), ["first", "lost"]);
}
