//! Reports: what may be disclosed, who reads it, and that the service keeps exactly that.

use std::time::Duration;

use bytes::Bytes;
use plasma_kit::ids::{ChatId, DeviceId, EnvelopeId, MessageId, ReportId, TenantId};
use plasma_proto::error_info::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use tonic::Status;

use crate::chats::{block, close, open, pair};
use crate::messages::{send, waiting};
use crate::on_both_databases;
use crate::person::{Person, tenant};
use crate::world::{World, by, keyed, metadata, reason};

/// Ann reports Bob: a chat of the two, and what Bob wrote in it.
struct Case {
    ann: Person,
    bob: Person,
    chat: String,
    envelope: pb::Envelope,
}

impl Case {
    async fn new(world: &World) -> Self {
        let (ann, bob, _, of_bob) = pair(world).await;
        let chat = open(world, &ann, &of_bob, "request-1").await.unwrap().chat.unwrap().chat_id;
        send(world, &chat, &bob, &ann).await;
        let [envelope] = waiting(world, ann.actor()).await.try_into().unwrap();
        Self { ann, bob, chat, envelope }
    }

    fn report(&self, key: &str, envelopes: Vec<pb::Envelope>) -> pb::CreateReportRequest {
        pb::CreateReportRequest {
            request_id: key.to_owned(),
            chat_id: self.chat.clone(),
            category: pb::ReportCategory::Harassment.into(),
            comment: "every day".to_owned(),
            messages: envelopes.into_iter().map(disclosed).collect(),
        }
    }
}

fn disclosed(envelope: pb::Envelope) -> pb::DisclosedMessage {
    let disclosure = Bytes::from_static(b"what opens it");
    pb::DisclosedMessage { envelope: Some(envelope), disclosure }
}

async fn create(
    world: &World,
    by_whom: &Person,
    request: pb::CreateReportRequest,
) -> Result<String, Status> {
    let answer = world.reports().create_report(by(by_whom.actor(), request)).await?;
    Ok(answer.into_inner().report_id)
}

async fn get(
    world: &World,
    tenant: TenantId,
    report_id: &str,
) -> Result<pb::GetReportResponse, Status> {
    let request = pb::GetReportRequest { report_id: report_id.to_owned() };
    Ok(world.reports().get_report(keyed(tenant, request)).await?.into_inner())
}

async fn list(world: &World, tenant: TenantId, token: &str) -> (Vec<pb::Report>, String) {
    let request = pb::ListReportsRequest { page_size: 2, page_token: token.to_owned() };
    let answer = world.reports().list_reports(keyed(tenant, request)).await.unwrap().into_inner();
    (answer.reports, answer.next_page_token)
}

on_both_databases! {
    async fn a_report_keeps_exactly_what_was_disclosed_for_the_reported_users_platform(
        world: World
    ) {
        let case = Case::new(&world).await;
        let (ann, bob) = (&case.ann, &case.bob);
        let request = case.report("report-1", vec![case.envelope.clone()]);
        let messages = request.messages.clone();
        let id = create(&world, ann, request.clone()).await.unwrap();
        let answer = get(&world, bob.user.0, &id).await.unwrap();
        assert_eq!(answer.messages, messages);
        let report = answer.report.unwrap();
        assert_eq!(report.report_id, id);
        assert_eq!(report.chat_id, case.chat);
        assert_eq!(report.reporter, Some(ann.pb_address()));
        assert_eq!(report.reported, Some(bob.pb_address()));
        assert_eq!(report.reporter_device, Some(ann.devices[0].pb_address()));
        assert_eq!(report.category(), pb::ReportCategory::Harassment);
        assert_eq!((report.comment.as_str(), report.message_count), ("every day", 1));

        // The same key is the same report, and no other's.
        assert_eq!(create(&world, ann, request.clone()).await.unwrap(), id);
        let another = pb::CreateReportRequest { comment: String::new(), ..request };
        let reused = create(&world, ann, another).await;
        assert_eq!(reason(reused), ErrorReason::IdempotencyKeyReused);
        assert_eq!(world.count("SELECT count(*) FROM reports", vec![]).await, 1);

        let stranger = tenant(&world);
        let absent = get(&world, stranger, &ReportId(world.env.uuid()).to_string()).await;
        let foreign = get(&world, stranger, &id).await;
        assert_eq!(reason(foreign.clone()), ErrorReason::NotFound);
        assert_eq!(absent.unwrap_err().details(), foreign.unwrap_err().details());
        assert!(list(&world, stranger, "").await.0.is_empty());
    }

    async fn what_a_report_discloses_is_sealed_and_deleted_after_its_time(world: World) {
        let case = Case::new(&world).await;
        let request = case.report("report-1", vec![case.envelope.clone()]);
        let messages = request.messages.clone();
        let id = create(&world, &case.ann, request).await.unwrap();
        let rows = world.blobs("SELECT sealed_message AS blob FROM report_messages").await;
        let needle = messages[0].envelope.as_ref().unwrap().ciphertext.clone();
        let holds = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == &needle[..]);
        assert!(holds(&prost::Message::encode_to_vec(&messages[0])), "the control");
        assert!(rows.len() == 1 && !holds(&rows[0]));

        let bob = case.bob.user.0;
        for (days, expected) in [(179, messages), (2, Vec::new())] {
            world.wait(Duration::from_hours(days * 24));
            world.messaging.prune().await.unwrap();
            let answer = get(&world, bob, &id).await.unwrap();
            assert_eq!(answer.messages, expected);
            // That it was reported, and how much was disclosed, stays.
            assert_eq!(answer.report.unwrap().message_count, 1);
        }
    }

    async fn a_report_crosses_to_the_tenant_of_the_reported_user(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let bob = Person::registered(&world, tenant(&world)).await;
        for person in [&ann, &bob] {
            world.tenants.set_terms(person.user.0, |terms| terms.allow_other_platforms = true);
        }
        let link = crate::links::create(&world, &bob, "link-of-bob").await.unwrap();
        let of_bob = crate::links::token(&link);
        let chat = open(&world, &ann, &of_bob, "request-1").await.unwrap().chat.unwrap().chat_id;
        let request = pb::CreateReportRequest {
            request_id: "report-1".to_owned(),
            chat_id: chat,
            category: pb::ReportCategory::Other.into(),
            comment: "without a message".to_owned(),
            messages: vec![],
        };
        let id = create(&world, &ann, request).await.unwrap();
        assert!(get(&world, bob.user.0, &id).await.unwrap().messages.is_empty());
        assert_eq!(reason(get(&world, ann.user.0, &id).await), ErrorReason::NotFound);
        assert!(list(&world, ann.user.0, "").await.0.is_empty());
        assert_eq!(list(&world, bob.user.0, "").await.0.len(), 1);
    }

    async fn only_what_the_service_delivered_can_be_disclosed(world: World) {
        let mut case = Case::new(&world).await;
        let mut flipped = case.envelope.franking_tag.to_vec();
        flipped[31] ^= 1;
        let change = |change: &dyn Fn(&mut pb::Envelope)| {
            let mut envelope = case.envelope.clone();
            change(&mut envelope);
            envelope
        };
        let other = |id: uuid::Uuid| DeviceId(id).to_string();
        let id = world.env.uuid();
        let cases = [
            ("franking_tag", change(&|e| e.franking_tag = flipped.clone().into())),
            ("franking_tag", change(&|e| e.franking_tag = Bytes::new())),
            ("franking_tag", change(&|e| e.ciphertext = Bytes::from_static(b"ho"))),
            ("franking_tag", change(&|e| e.message_id = MessageId(id).to_string())),
            ("franking_tag", change(&|e| e.sender.as_mut().unwrap().device_id = other(id))),
            ("franking_tag", change(&|e| e.accept_time.as_mut().unwrap().seconds += 1)),
            ("accept_time", change(&|e| e.accept_time.as_mut().unwrap().nanos += 1)),
            ("accept_time", change(&|e| e.accept_time = None)),
            ("chat_id", change(&|e| e.chat_id = ChatId(id).to_string())),
            ("chat_id", change(&|e| e.chat_id = String::new())),
            ("sender", change(&|e| e.sender = None)),
            ("message_id", change(&|e| e.message_id = String::new())),
        ];
        for (number, (field, envelope)) in cases.into_iter().enumerate() {
            let envelopes = vec![case.envelope.clone(), envelope];
            let refused = create(&world, &case.ann, case.report("report-1", envelopes)).await;
            assert_eq!(
                metadata(refused.clone(), "field"),
                format!("messages[1].envelope.{field}"),
                "case {number}"
            );
            assert_eq!(reason(refused), ErrorReason::InvalidField);
        }
        // One's own words prove nothing against the other, and neither does what another device got.
        let second = case.ann.add_device(&world, false).await;
        send(&world, &case.chat, &case.ann, &case.bob).await;
        let [synced] = waiting(&world, second.actor).await.try_into().unwrap();
        let report = case.report("report-1", vec![synced]);
        let refused = world.reports().create_report(by(second.actor, report)).await;
        assert_eq!(metadata(refused, "field"), "messages[0].envelope.sender");
        let report = case.report("report-1", vec![case.envelope.clone()]);
        let refused = world.reports().create_report(by(second.actor, report)).await;
        assert_eq!(metadata(refused, "field"), "messages[0].envelope.franking_tag");
        assert_eq!(world.count("SELECT count(*) FROM reports", vec![]).await, 0);
        let count = "SELECT count(*) FROM idempotency_keys WHERE rpc = 'CreateReport'";
        assert_eq!(world.count(count, vec![]).await, 0);
        // The id of the delivery is the service's own affair.
        let mut again = case.envelope.clone();
        again.envelope_id = EnvelopeId(id).to_string();
        create(&world, &case.ann, case.report("report-1", vec![again])).await.unwrap();
    }

    async fn a_chat_that_is_blocked_closed_or_unpaid_can_be_reported_by_its_members_alone(
        world: World
    ) {
        let case = Case::new(&world).await;
        world.access.expire_passes();
        create(&world, &case.ann, case.report("report-1", vec![])).await.unwrap();
        block(&world, &case.bob, &case.chat, "request-block").await.unwrap();
        create(&world, &case.ann, case.report("report-2", vec![])).await.unwrap();
        close(&world, &case.bob, &case.chat, "request-close").await.unwrap();
        let envelopes = vec![case.envelope.clone()];
        create(&world, &case.ann, case.report("report-3", envelopes)).await.unwrap();
        // Bob may report Ann as well; somebody else learns not even that there is a chat.
        create(&world, &case.bob, case.report("report-1", vec![])).await.unwrap();
        let carol = Person::registered(&world, case.ann.user.0).await;
        let foreign = create(&world, &carol, case.report("report-1", vec![])).await;
        let mut nowhere = case.report("report-1", vec![]);
        nowhere.chat_id = ChatId(world.env.uuid()).to_string();
        let absent = create(&world, &carol, nowhere).await;
        assert_eq!(reason(foreign.clone()), ErrorReason::NotFound);
        assert_eq!(foreign.unwrap_err().details(), absent.unwrap_err().details());
    }

    async fn reports_are_listed_newest_first_page_by_page_and_limited(world: World) {
        let case = Case::new(&world).await;
        let mut made = Vec::new();
        for number in 0..10 {
            let request = case.report(&format!("report-{number}"), vec![case.envelope.clone()]);
            made.push(create(&world, &case.ann, request).await.unwrap());
        }
        let more = create(&world, &case.ann, case.report("report-10", vec![])).await;
        assert_eq!(reason(more), ErrorReason::RateLimited);
        // A retry takes nothing of what one may.
        let retry = case.report("report-9", vec![case.envelope.clone()]);
        assert_eq!(create(&world, &case.ann, retry).await.unwrap(), made[9]);

        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let (page, next) = list(&world, case.bob.user.0, &token).await;
            assert!(page.len() <= 2);
            seen.extend(page.into_iter().map(|report| report.report_id));
            token = next;
            if token.is_empty() {
                break;
            }
        }
        made.reverse();
        assert_eq!(seen, made);
    }
}
