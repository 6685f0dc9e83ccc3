//! A device that writes random bytes: what a client does on the wire, and nothing of what it does
//! with keys.

mod listening;
mod meeting;
mod on_stream;
mod sending;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::call_error::CallError;
use super::link::Link;
use super::presence::Presence;
use super::session::{Credential, Identity};
use super::speech::Speech;
use super::{Contact, Leaving, Surroundings, Transport};
use crate::dice::Dice;
use crate::ledger::{DeviceNumber, Witness};

/// A device that writes random bytes.
#[derive(Debug)]
pub struct OpaqueDevice {
    number: DeviceNumber,
    id: u128,
    speech: Speech,
    own_manifest_hash: Bytes,
    credential: Credential,
    contacts: RwLock<Vec<Arc<Contact>>>,
    /// When it last wrote to whom.
    wrote: Mutex<HashMap<DeviceNumber, Instant>>,
    around: Arc<Surroundings>,
    dice: Mutex<Dice>,
    /// The node that is tried next.
    turn: AtomicUsize,
    link: tokio::sync::Mutex<Option<Arc<Link>>>,
    listening: Mutex<Option<Listening>>,
    /// With `Transport::Connect`, while the stream is open.
    on_stream: Mutex<Option<on_stream::OnStream>>,
    presence: Presence,
}

/// The task that listens, and how to end it.
#[derive(Debug)]
struct Listening {
    task: JoinHandle<()>,
    in_order: CancellationToken,
}

impl Listening {
    fn is_under_way(&self) -> bool {
        !self.task.is_finished()
    }
}

impl OpaqueDevice {
    /// A device of the service.
    pub fn enrolled(around: &Arc<Surroundings>, identity: Arc<Identity>) -> Arc<Self> {
        let id = identity.address().device.as_u128();
        let own_manifest_hash = identity.manifest_hash.clone();
        let credential = Credential::session(identity);
        Self::new(around, id, Speech::Plasma, own_manifest_hash, credential)
    }

    /// A device of the bare relay, which knows none.
    pub fn bare(around: &Arc<Surroundings>, id: u128) -> Arc<Self> {
        // What a session token of 48 bytes looks like.
        let credential = Credential::Fixed("b".repeat(64).into());
        Self::new(around, id, Speech::Bare, Bytes::new(), credential)
    }

    fn new(
        around: &Arc<Surroundings>,
        id: u128,
        speech: Speech,
        own_manifest_hash: Bytes,
        credential: Credential,
    ) -> Arc<Self> {
        let number = around.ledger.enlist(id, Witness::Wire);
        Arc::new(Self {
            number,
            id,
            speech,
            own_manifest_hash,
            credential,
            contacts: RwLock::default(),
            wrote: Mutex::default(),
            around: Arc::clone(around),
            dice: Mutex::new(Dice::new(around.ledger.seed() ^ u64::from(number))),
            turn: AtomicUsize::new(number as usize),
            link: tokio::sync::Mutex::default(),
            listening: Mutex::default(),
            on_stream: Mutex::default(),
            presence: Presence::default(),
        })
    }

    /// Its number in the book.
    pub fn number(&self) -> DeviceNumber {
        self.number
    }

    /// Adds a chat.
    pub fn add_contact(&self, contact: Contact) {
        let mut contacts = self.contacts.write().unwrap_or_else(PoisonError::into_inner);
        contacts.push(Arc::new(contact));
    }

    /// How many chats it has.
    pub fn contacts(&self) -> usize {
        self.contacts.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The place of the chat with the user of another device.
    pub fn chat_with(&self, peer: DeviceNumber) -> Option<usize> {
        let contacts = self.contacts.read().unwrap_or_else(PoisonError::into_inner);
        contacts.iter().position(|contact| contact.peer == peer)
    }

    /// The chat of a place, counted round; `None` where there is none at all.
    fn contact(&self, place: usize) -> Option<Arc<Contact>> {
        let contacts = self.contacts.read().unwrap_or_else(PoisonError::into_inner);
        contacts.get(place % contacts.len().max(1)).cloned()
    }

    /// Begins to listen.
    pub fn connect(self: &Arc<Self>) {
        let mut listening = self.listening();
        if listening.as_ref().is_some_and(Listening::is_under_way) {
            return;
        }
        let in_order = CancellationToken::new();
        let task = tokio::spawn(Arc::clone(self).listen(in_order.clone()));
        *listening = Some(Listening { task, in_order });
    }

    /// Whether it listens.
    pub fn is_listening(&self) -> bool {
        self.listening().as_ref().is_some_and(Listening::is_under_way)
    }

    /// Waits until what was stored for the device has come.
    pub async fn until_ready(&self, at_most: Duration) -> bool {
        self.presence.until_ready(at_most).await
    }

    /// Leaves.
    pub async fn disconnect(&self, leaving: Leaving) {
        let Some(Listening { mut task, in_order }) = self.listening().take() else { return };
        let has_ended = leaving == Leaving::InOrder && {
            in_order.cancel();
            tokio::time::timeout(self.around.manner.call_timeout, &mut task).await.is_ok()
        };
        if !has_ended {
            task.abort();
            // It was aborted.
            let _ = task.await;
        }
        self.presence.left();
        self.forget_stream();
        if let Some(link) = self.link.lock().await.take() {
            link.give_up();
        }
    }

    /// The connection at hand, or a new one to the next node.
    async fn link(&self) -> Result<Arc<Link>, CallError> {
        let mut link = self.link.lock().await;
        if let Some(link) = link.as_ref().filter(|link| !link.is_gone()) {
            return Ok(Arc::clone(link));
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let node = self.around.node(turn);
        let node = node.ok_or_else(|| CallError::Broken("there is no node".to_owned()))?;
        let opened = Link::open(node, self.around.manner.connect_timeout).await?;
        Ok(Arc::clone(link.insert(Arc::new(opened))))
    }

    /// Whether sends and acknowledgements go on the stream.
    fn calls_on_stream(&self) -> bool {
        self.speech == Speech::Plasma && self.around.manner.transport == Transport::Connect
    }

    async fn token(&self, link: &Link) -> Result<Arc<str>, CallError> {
        let Surroundings { meters, manner, .. } = &*self.around;
        self.credential.token(link, meters, manner.call_timeout).await
    }

    /// A wait that no other device has.
    fn spread(&self, wait: Duration) -> Duration {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner).around(wait)
    }

    fn listening(&self) -> MutexGuard<'_, Option<Listening>> {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
