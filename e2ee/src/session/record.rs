//! The sessions of a pair of devices: at most one active, the others archived (Sesame).

use core::fmt;

use plasma_identity::DeviceAddress;

use super::Session;
use crate::header::SessionId;
use crate::retry::RetryRequest;

/// How many archived sessions a record keeps.
pub(crate) const MAX_ARCHIVED: usize = 10;

/// The sessions of this device with one other device.
///
/// It changes only when an operation has succeeded. Its private parts are wiped when it is
/// dropped. Operations on one record are serialised by the caller.
#[derive(Clone)]
pub struct SessionRecord {
    pub(super) local: DeviceAddress,
    pub(super) remote: DeviceAddress,
    pub(super) active: Option<Session>,
    /// Most recently archived first.
    pub(super) archived: Vec<Session>,
}

impl SessionRecord {
    /// Starts an empty record.
    pub fn new(local: DeviceAddress, remote: DeviceAddress) -> Self {
        Self { local, remote, active: None, archived: Vec::new() }
    }

    /// Returns this device's address.
    pub fn local(&self) -> DeviceAddress {
        self.local
    }

    /// Returns the other device's address.
    pub fn remote(&self) -> DeviceAddress {
        self.remote
    }

    /// Tells whether a bundle must be fetched and [`crate::initiate`] called before sending: there
    /// is no active session, or its initiation has stayed unanswered for 30 days.
    pub fn needs_initiation(&self, now: u64) -> bool {
        self.active.as_ref().is_none_or(|session| session.is_stale(now))
    }

    /// Tells whether the peer has shown that it holds the active session.
    pub fn is_confirmed(&self) -> bool {
        self.active.as_ref().is_some_and(|session| session.pending.is_none())
    }

    /// Returns the id of the active session.
    pub fn active_session(&self) -> Option<SessionId> {
        self.active.as_ref().map(|session| session.id)
    }

    /// Counts the archived sessions.
    pub fn archived_sessions(&self) -> usize {
        self.archived.len()
    }

    /// Archives the active session, so that the next message starts a new one.
    pub fn archive_active(&mut self) {
        if let Some(session) = self.active.take() {
            self.archive(session);
        }
    }

    /// Archives the active session if a verified retry request is about it and about the ratchet
    /// key that this side sends with now, and tells whether it did.
    ///
    /// So a request that comes again, or after the session has gone on, resets nothing.
    pub fn archive_for(&mut self, request: &RetryRequest) -> bool {
        let named = request.sender() == self.remote
            && request.recipient() == self.local
            && self.active.as_ref().is_some_and(|active| {
                active.id == request.session_id()
                    && active.ratchet.sending_key() == Some(request.ratchet_key())
            });
        if named {
            self.archive_active();
        }
        named
    }

    fn archive(&mut self, session: Session) {
        self.archived.insert(0, session);
        self.archived.truncate(MAX_ARCHIVED);
    }

    /// Makes a session that this side initiated the active one.
    pub(crate) fn insert_initiated(&mut self, session: Session) {
        self.archive_active();
        self.active = Some(session);
    }

    /// Adds a session that the peer initiated. It becomes the active one, unless this side has
    /// initiated the active one itself, has no reply yet, and has the lower ephemeral hash.
    pub(crate) fn insert_accepted(&mut self, session: Session) {
        let own = self.active.as_ref().filter(|active| active.pending.is_some());
        if own.is_some_and(|own| own.ephemeral_hash < session.ephemeral_hash) {
            self.archive(session);
        } else {
            self.insert_initiated(session);
        }
    }

    /// Tells whether an initiation that arrives again on an archived session of the peer makes it
    /// the active one: only where this side has nothing better, by the rule for crossing ones.
    pub(crate) fn yields_to(&self, id: SessionId) -> bool {
        let Some(session) = self.session(id) else { return false };
        self.active.as_ref().is_none_or(|active| {
            active.pending.is_some() && session.ephemeral_hash < active.ephemeral_hash
        })
    }

    pub(crate) fn active(&self) -> Option<&Session> {
        self.active.as_ref()
    }

    pub(crate) fn active_mut(&mut self) -> Option<&mut Session> {
        self.active.as_mut()
    }

    pub(crate) fn session(&self, id: SessionId) -> Option<&Session> {
        self.active.iter().chain(&self.archived).find(|session| session.id == id)
    }

    /// Applies a change to a session and, if `promote`, makes it the active one.
    pub(crate) fn update(
        &mut self,
        id: SessionId,
        promote: bool,
        change: impl FnOnce(&mut Session),
    ) {
        if let Some(active) = self.active.as_mut().filter(|active| active.id == id) {
            return change(active);
        }
        let Some(position) = self.archived.iter().position(|session| session.id == id) else {
            return;
        };
        change(&mut self.archived[position]);
        if promote {
            let session = self.archived.remove(position);
            self.insert_initiated(session);
        }
    }
}

impl fmt::Debug for SessionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRecord")
            .field("local", &self.local)
            .field("remote", &self.remote)
            .field("active", &self.active_session())
            .field("archived", &self.archived.len())
            .finish_non_exhaustive()
    }
}
