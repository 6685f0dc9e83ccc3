//! Following a retry request: leaving the session that it names, and sending the message again.

use plasma_e2ee::{RetryError, RetryRequest};
use plasma_identity::UserAddress;
use rusqlite::Transaction;

use crate::device::Device;
use crate::error::Error;
use crate::event::Event;
use crate::store::control::{self, Control, Load};
use crate::store::{StoreError, accounts, sent_log, sessions};

/// Times that a message is sent again to one device.
const RESENDS_MAX: u32 = 3;
/// How long a session is kept before it is left for another request.
const LEAVE_INTERVAL: u64 = 3_600;

/// What became of a request.
enum Step {
    Followed,
    Ignored(Ignored),
    /// The account that this device knows does not list the one that asks.
    Refresh(UserAddress),
}

/// Why nothing happens.
#[derive(Debug, thiserror::Error)]
enum Ignored {
    #[error("nothing was sent that it could be about")]
    NotInTheLog,
    #[error("it was answered before")]
    Answered,
    #[error("the message was sent again often enough")]
    Surplus,
    #[error("the user's new identity is not accepted yet")]
    IdentityChanged,
    #[error("it is not a device's own request for this one: {0}")]
    Refused(RetryError),
}

impl Device {
    /// Follows a retry request, or ignores it. Whoever asked learns nothing from which of both.
    pub(crate) async fn follow(&self, bytes: &[u8]) -> Result<Vec<Event>, Error> {
        let mut events = Vec::new();
        let Ok(request) = RetryRequest::from_bytes(bytes) else {
            tracing::debug!("a retry request was malformed");
            return Ok(events);
        };
        let mut step = self.inner.store.write(|tx| self.follow_step(tx, &request))?;
        if let Step::Refresh(user) = step {
            match self.refresh_account(user).await {
                Ok(learned) => events.extend(learned.changed_now.map(|before| {
                    let now = learned.known.account.fingerprint();
                    Event::IdentityChanged { user, before, now }
                })),
                Err(error) if error.is_transient() || matches!(error, Error::Store(_)) => {
                    return Err(error);
                }
                Err(error) => tracing::debug!(%error, "who asks again is not known"),
            }
            step = self.inner.store.write(|tx| self.follow_step(tx, &request))?;
        }
        match step {
            Step::Followed => tracing::debug!("a retry request is followed"),
            Step::Ignored(why) => tracing::debug!(%why, "a retry request is ignored"),
            Step::Refresh(_) => tracing::debug!("a retry request of an unknown device is ignored"),
        }
        Ok(events)
    }

    fn follow_step(
        &self,
        tx: &Transaction<'_>,
        request: &RetryRequest,
    ) -> Result<Step, StoreError> {
        let (asking, hash) = (request.sender(), request.envelope_hash());
        let now = self.inner.env.now_seconds();
        // First of all: nobody makes this device fetch or compute for what it never sent.
        let Some(logged) = sent_log::find(tx, asking, &hash)? else {
            return Ok(Step::Ignored(Ignored::NotInTheLog));
        };
        let Some(known) = accounts::load(tx, asking.user_address())? else {
            return Ok(Step::Refresh(asking.user_address()));
        };
        match request.verify(&known.account, self.address(), now) {
            Ok(()) => {}
            Err(RetryError::Uncertified) => return Ok(Step::Refresh(asking.user_address())),
            Err(error) => return Ok(Step::Ignored(Ignored::Refused(error))),
        }
        if known.changed_from.is_some() {
            return Ok(Step::Ignored(Ignored::IdentityChanged));
        }
        if logged.answered {
            return Ok(Step::Ignored(Ignored::Answered));
        }
        sent_log::mark_answered(tx, asking, &hash)?;
        if sent_log::count_resend(tx, logged.message, asking)? > RESENDS_MAX {
            return Ok(Step::Ignored(Ignored::Surplus));
        }
        let later = self.leave_session(tx, request, now)?;
        let own = asking.user_address() == self.user();
        let again = Control {
            message: logged.message,
            device: asking,
            chat: logged.chat.filter(|_| !own),
            load: Load::Content {
                message: logged.message,
                leaving: later.map(|_| request.to_bytes()),
            },
        };
        control::insert(tx, &again, later.unwrap_or(now))?;
        Ok(Step::Followed)
    }

    /// Leaves the session that a request names, if it is still the one in use. Answers when it may
    /// be left where it was left for another request less than an hour ago: until then nothing
    /// sent on it would be understood.
    fn leave_session(
        &self,
        tx: &Transaction<'_>,
        request: &RetryRequest,
        now: u64,
    ) -> Result<Option<u64>, StoreError> {
        let mut record = sessions::load(tx, self.address(), request.sender())?;
        if !record.archive_for(request) {
            return Ok(None);
        }
        let next = sent_log::left(tx, request.sender())?.map_or(0, |left| left + LEAVE_INTERVAL);
        if next > now {
            return Ok(Some(next));
        }
        sent_log::mark_left(tx, request.sender(), now)?;
        sessions::save(tx, &record)?;
        Ok(None)
    }

    /// Leaves the session that a request names when its time has come.
    pub(super) fn leave_in_time(
        &self,
        tx: &Transaction<'_>,
        request: &[u8],
    ) -> Result<(), StoreError> {
        let Ok(request) = RetryRequest::from_bytes(request) else {
            return Err(StoreError::Value("retry request"));
        };
        self.leave_session(tx, &request, self.inner.env.now_seconds())?;
        Ok(())
    }
}
