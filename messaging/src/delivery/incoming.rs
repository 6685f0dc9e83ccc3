//! What other nodes say, and what ends streams.

use std::sync::Arc;
use std::time::Duration;

use plasma_kit::Failure;
use plasma_kit::bus::BusEvent;
use plasma_kit::events::{self, Event, Subject};
use plasma_proto::messaging::v1::{Resume, ResumeReason, connect_response};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::connection::{Connection, Origin};
use super::parcel::{self, DeviceKey, Notice, Parcel};
use super::stream;
use super::waiters::Answer;
use super::{Delivery, node_channel};
use crate::store::envelopes;

/// Longer than an insert takes from its look at the devices to its commit.
const INSERT_MAX: Duration = Duration::from_secs(3);

/// Takes frames from the bus until `stop`.
pub(super) async fn listen(
    delivery: Delivery,
    mut events: broadcast::Receiver<BusEvent>,
    stop: CancellationToken,
) {
    loop {
        let event = tokio::select! {
            () = stop.cancelled() => return,
            event = events.recv() => event,
        };
        match event {
            Ok(BusEvent::Message { payload, .. }) => {
                if let Some((device, notice)) = parcel::decode(payload) {
                    take(&delivery, device, notice);
                }
            }
            // What was said meanwhile is gone; the store knows.
            Ok(BusEvent::Reconnected) | Err(broadcast::error::RecvError::Lagged(_)) => {
                delivery.inner.hub.hint_all();
            }
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// Handles one frame. Whatever waits for something runs beside, so that no frame waits for another.
fn take(delivery: &Delivery, device: DeviceKey, notice: Notice) {
    let node = &delivery.inner;
    match notice {
        Notice::Live { from_node, parcel } => offer(delivery, device, from_node, &parcel),
        Notice::Stored => node.hub.hint(device),
        Notice::Takeover(number) => {
            if let Some(connection) = node.hub.get(device)
                && connection.number < number
            {
                node.hub.remove(&connection);
                connection.end(Some(stream::conflicting()));
            }
        }
        Notice::Acknowledged(envelope) => {
            let delivery = delivery.clone();
            tokio::spawn(async move {
                if let Err(error) = delivery.acknowledged_elsewhere(device, envelope).await {
                    tracing::debug!(%error, "an acknowledged envelope stays until offered again");
                }
            });
        }
        Notice::Refused(envelope) => {
            node.waiters.answer(envelope, Answer::Refused);
        }
    }
}

fn offer(delivery: &Delivery, device: DeviceKey, from_node: uuid::Uuid, parcel: &Parcel) {
    let taken = delivery
        .inner
        .hub
        .get(device)
        .is_some_and(|connection| connection.offer(parcel, Origin::Node(from_node)));
    if !taken {
        let (delivery, notice) = (delivery.clone(), Notice::Refused(parcel.envelope));
        tokio::spawn(async move {
            delivery.publish(&node_channel(from_node), device, &notice).await;
        });
    }
}

/// Ends the streams of what is revoked, looks again where a device may have been removed, and has
/// the streams of an account with news opened again.
pub(super) async fn end_revoked(
    delivery: Delivery,
    received: broadcast::Receiver<Event>,
    stop: CancellationToken,
) {
    events::for_each(received, stop, |event| {
        let hub = &delivery.inner.hub;
        let (tenant, subject) = match event {
            Event::Revoked { tenant, subject } => (tenant, subject),
            Event::AccountChanged(tenant, user) => {
                hub.of(tenant, Some(user)).iter().for_each(|connection| connection.suspect());
                return;
            }
            Event::AccountNotice(tenant, user) => {
                hub.of(tenant, Some(user)).into_iter().for_each(give_notice);
                return;
            }
            Event::Missed => {
                hub.select(|_| true).iter().for_each(|connection| connection.suspect());
                return;
            }
            Event::TenantChanged(_) | Event::ChatChanged(_) => return,
        };
        let (ended, status) = match subject {
            Subject::Tenant => (hub.of(tenant, None), Status::from(Failure::tenant_suspended())),
            Subject::User(user) => {
                (hub.of(tenant, Some(user)), Status::from(Failure::user_blocked()))
            }
            Subject::Device(device) => {
                tokio::spawn(forget(delivery.clone(), (tenant, device)));
                let ended = hub.get((tenant, device)).into_iter().collect();
                (ended, Status::from(Failure::unauthenticated()))
            }
            Subject::ApiKey(_) => return,
        };
        for connection in ended {
            hub.remove(&connection);
            connection.end(Some(status.clone()));
        }
    })
    .await;
}

/// Has a device open its stream again: the next hello has the news.
fn give_notice(connection: Arc<Connection>) {
    tokio::spawn(async move {
        let reason = ResumeReason::AccountNotice.into();
        connection.tell(connect_response::Event::Resume(Resume { reason })).await;
        connection.end(None);
    });
}

/// Deletes what waits for a device that was removed, once every insert that could still see it has
/// committed. A device that only signed out keeps what waits for it.
async fn forget(delivery: Delivery, device: DeviceKey) {
    tokio::time::sleep(INSERT_MAX).await;
    if let Err(error) = envelopes::forget(&delivery.inner.db, device).await {
        tracing::warn!(%error, "envelopes of a removed device stay");
    }
}
