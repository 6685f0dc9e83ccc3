//! A report: what the reported user's platform gets, and what nobody can forge.

use anyhow::{Context, Result};
use plasma_client::{Device, Error, Event, MessageRef, ReportCategory, wire};
use plasma_e2ee::{DecryptError, Disclosure, open_disclosed};
use plasma_proto::content::v1::{Content, content::Body};
use plasma_proto::error::v1::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::report_service_client::ReportServiceClient;
use plasma_testkit::ClusterKind;
use prost::Message as _;
use tonic::transport::Channel;

use crate::world::{World, open, until};

async fn fetched(world: &World, report_id: String) -> Result<pb::GetReportResponse> {
    let mut request = tonic::Request::new(pb::GetReportRequest { report_id });
    let bearer = format!("Bearer {}", world.platform.backend_key());
    request.metadata_mut().insert("authorization", bearer.parse()?);
    let channel = world.cluster.node(0).channel()?;
    Ok(ReportServiceClient::new(channel).get_report(request).await?.into_inner())
}

/// What a platform's moderation does with one disclosed message.
fn opened(
    message: &pb::DisclosedMessage,
    from: &Device,
    to: &Device,
) -> Result<String, DecryptError> {
    let envelope = message.envelope.as_ref().unwrap();
    let disclosure = Disclosure::from_bytes(&message.disclosure).unwrap();
    let content = open_disclosed(&envelope.ciphertext, from.address(), to.address(), &disclosure)?;
    match Content::decode(&content[..]).unwrap().body {
        Some(Body::Text(text)) => Ok(text.body),
        Some(Body::Edit(edit)) => Ok(edit.body),
        _ => Ok(String::new()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_reads_exactly_what_was_disclosed_and_a_forgery_is_refused() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let world = World::start(kind).await?;
        let endpoint = world.endpoint(0);
        let ann = world.first_device("ann", &endpoint).await?;
        let bob = world.first_device("bob", &endpoint).await?;
        let chat = open(&ann, &bob.create_link().await?).await?;
        let mut events = ann.receive();
        let mut refs = Vec::new();
        for text in ["I know where you live", "something private"] {
            let report = bob.send_text(chat, text).await?;
            refs.push(MessageRef { sender: bob.address(), id: report.message });
            until(&mut events, |event| matches!(event, Event::Message(_))).await;
        }
        bob.edit(chat, refs[0], "I know where you work").await?;
        until(&mut events, |event| matches!(event, Event::Edited { .. })).await;
        let category = ReportCategory::Harassment;
        let report_id = ann.report(chat, category, "every day", &refs[..1]).await?;
        let answer = fetched(&world, report_id).await?;
        let report = answer.report.context("a report")?;
        assert_eq!(report.reported, Some(wire::user(bob.user())));
        let read: Vec<_> =
            answer.messages.iter().map(|message| opened(message, &bob, &ann).unwrap()).collect();
        assert_eq!(read, ["I know where you live", "I know where you work"]);

        // Another text for the same envelope: the commitment refuses it.
        let mut forged = answer.messages[0].clone();
        forged.disclosure = answer.messages[1].disclosure.clone();
        assert!(matches!(opened(&forged, &bob, &ann), Err(DecryptError::BadCommitment)));
        // An envelope that the service never carried: its mark refuses it.
        let mut forged = answer.messages[0].clone();
        let envelope = forged.envelope.as_mut().context("an envelope")?;
        let mut bytes = envelope.ciphertext.to_vec();
        *bytes.last_mut().context("a byte")? ^= 1;
        envelope.ciphertext = bytes.into();
        let request = pb::CreateReportRequest {
            request_id: "forged-report".to_owned(),
            chat_id: chat.to_string(),
            category: category.into(),
            comment: String::new(),
            messages: vec![forged],
        };
        let operation = |channel: Channel, request| async move {
            ReportServiceClient::new(channel).create_report(request).await
        };
        let refused = ann.call(request, operation).await.unwrap_err();
        assert_eq!(refused.reason(), Some(ErrorReason::InvalidField), "{refused:?}");

        // What was withdrawn, and what one wrote oneself, cannot be disclosed.
        bob.delete(chat, refs[0]).await?;
        until(&mut events, |event| matches!(event, Event::Deleted { .. })).await;
        let own = ann.send_text(chat, "leave me alone").await?;
        let own = MessageRef { sender: ann.address(), id: own.message };
        for gone in [refs[0], own] {
            let refused = ann.report(chat, category, "", &[gone]).await.unwrap_err();
            assert!(matches!(refused, Error::NotReportable(_)), "{refused:?}");
        }
        ann.report(chat, category, "without any message", &[]).await?;
    }
    Ok(())
}
