//! What nodes tell each other so that caches are right at once. Every fact is in the database
//! first; an event that is lost costs a cache's few seconds and nothing else.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::bus::{Bus, BusEvent};
use crate::ids::{ChatId, DeviceId, TenantId, UserId};

/// The channel that every node listens to.
const CHANNEL: &str = "plasma:events";
const CAPACITY: usize = 4_096;

/// Something that caches depend on has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// Credentials of this kind are to be looked up again, and its streams to end.
    Revoked {
        /// The tenant.
        tenant: TenantId,
        /// What was revoked.
        subject: Subject,
    },
    /// A tenant's policy or name changed.
    TenantChanged(TenantId),
    /// A user's manifest changed.
    AccountChanged(TenantId, UserId),
    /// There is news about a user's account that every device of it is to be told: its streams
    /// are to be opened again.
    AccountNotice(TenantId, UserId),
    /// A chat's state or its pass changed.
    ChatChanged(ChatId),
    /// Events may have been lost: everything cached is suspect.
    Missed,
}

/// What a revocation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The whole tenant.
    Tenant,
    /// An API key.
    ApiKey(Uuid),
    /// A user.
    User(UserId),
    /// A device.
    Device(DeviceId),
}

impl Subject {
    /// The number and the id under which the subject is stored.
    pub fn to_row(self) -> (i16, Uuid) {
        match self {
            Self::Tenant => (1, Uuid::nil()),
            Self::ApiKey(key) => (2, key),
            Self::User(user) => (3, user.0),
            Self::Device(device) => (4, device.0),
        }
    }

    /// Reads a stored subject; `None` for a number that a newer version wrote.
    pub fn from_row(kind: i16, id: Uuid) -> Option<Self> {
        match kind {
            1 => Some(Self::Tenant),
            2 => Some(Self::ApiKey(id)),
            3 => Some(Self::User(UserId(id))),
            4 => Some(Self::Device(DeviceId(id))),
            _ => None,
        }
    }
}

impl Event {
    fn encode(self) -> Bytes {
        let text = match self {
            Self::Revoked { tenant, subject } => {
                let (kind, id) = subject.to_row();
                format!("revoked {} {kind} {id}", tenant.0)
            }
            Self::TenantChanged(tenant) => format!("tenant {}", tenant.0),
            Self::AccountChanged(tenant, user) => format!("account {} {}", tenant.0, user.0),
            Self::AccountNotice(tenant, user) => format!("notice {} {}", tenant.0, user.0),
            Self::ChatChanged(chat) => format!("chat {}", chat.0),
            Self::Missed => "missed".to_owned(),
        };
        Bytes::from(text)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let words: Vec<&str> = text.split(' ').collect();
        let id = |index: usize| words.get(index).and_then(|word| word.parse::<Uuid>().ok());
        match *words.first()? {
            "revoked" => Some(Self::Revoked {
                tenant: TenantId(id(1)?),
                subject: Subject::from_row(words.get(2)?.parse().ok()?, id(3)?)?,
            }),
            "tenant" => Some(Self::TenantChanged(TenantId(id(1)?))),
            "account" => Some(Self::AccountChanged(TenantId(id(1)?), UserId(id(2)?))),
            "notice" => Some(Self::AccountNotice(TenantId(id(1)?), UserId(id(2)?))),
            "chat" => Some(Self::ChatChanged(ChatId(id(1)?))),
            "missed" => Some(Self::Missed),
            _ => None,
        }
    }
}

/// Sends events to every node, this one included, and hands on what arrives.
#[derive(Clone)]
pub struct Events {
    local: broadcast::Sender<Event>,
    bus: Arc<dyn Bus>,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    /// Starts listening on the bus until `stop`.
    pub async fn start(bus: Arc<dyn Bus>, stop: CancellationToken) -> Self {
        let (local, _) = broadcast::channel(CAPACITY);
        let events = Self { local, bus };
        let received = events.bus.events();
        if let Err(error) = events.bus.subscribe(CHANNEL).await {
            tracing::warn!(%error, "the bus is down; events come by polling until it is back");
        }
        tokio::spawn(forward(received, events.local.clone(), stop));
        events
    }

    /// Tells every node. Never waits long and never fails: the database has the fact already.
    pub async fn emit(&self, event: Event) {
        self.emit_here(event);
        if let Err(error) = self.bus.publish(CHANNEL, event.encode()).await {
            tracing::debug!(%error, "an event was not published; polling covers it");
        }
    }

    /// Tells this node alone.
    pub fn emit_here(&self, event: Event) {
        // Nobody listening is fine.
        let _ = self.local.send(event);
    }

    /// Listens. A receiver that lags must treat it as [`Event::Missed`].
    pub fn listen(&self) -> broadcast::Receiver<Event> {
        self.local.subscribe()
    }
}

/// Runs `handle` for every event until `stop`; a lag is handed on as [`Event::Missed`].
pub async fn for_each(
    mut events: broadcast::Receiver<Event>,
    stop: CancellationToken,
    mut handle: impl FnMut(Event) + Send,
) {
    loop {
        let received = tokio::select! {
            () = stop.cancelled() => return,
            received = events.recv() => received,
        };
        match received {
            Ok(event) => handle(event),
            Err(broadcast::error::RecvError::Lagged(_)) => handle(Event::Missed),
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

async fn forward(
    mut received: broadcast::Receiver<BusEvent>,
    local: broadcast::Sender<Event>,
    stop: CancellationToken,
) {
    loop {
        let event = tokio::select! {
            () = stop.cancelled() => return,
            event = received.recv() => event,
        };
        let event = match event {
            Ok(BusEvent::Message { channel, payload }) if channel == CHANNEL => {
                Event::decode(&payload)
            }
            Ok(BusEvent::Message { .. }) => None,
            Ok(BusEvent::Reconnected) | Err(broadcast::error::RecvError::Lagged(_)) => {
                Some(Event::Missed)
            }
            Err(broadcast::error::RecvError::Closed) => return,
        };
        if let Some(event) = event {
            let _ = local.send(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Event, Subject};
    use crate::ids::{ChatId, DeviceId, TenantId, UserId};

    #[test]
    fn an_event_reads_back_as_it_was_written() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let tenant = TenantId(one);
        let events = [
            Event::Revoked { tenant, subject: Subject::Tenant },
            Event::Revoked { tenant, subject: Subject::ApiKey(two) },
            Event::Revoked { tenant, subject: Subject::User(UserId(two)) },
            Event::Revoked { tenant, subject: Subject::Device(DeviceId(two)) },
            Event::TenantChanged(tenant),
            Event::AccountChanged(tenant, UserId(two)),
            Event::AccountNotice(tenant, UserId(two)),
            Event::ChatChanged(ChatId(two)),
            Event::Missed,
        ];
        for event in events {
            assert_eq!(Event::decode(&event.encode()), Some(event));
        }
        assert_eq!(Event::decode(b"revoked x"), None);
        assert_eq!(Event::decode(b"\xff"), None);
    }
}
