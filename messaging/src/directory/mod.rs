//! What the hot path reads: chats and device sets, cached while the feed of changes is heard.

mod accounts;
mod membership;
mod peer_scope;

use std::sync::Arc;
use std::time::Duration;

use plasma_kit::actor::DeviceActor;
use plasma_kit::aged::Aged;
use plasma_kit::changes::Freshness;
use plasma_kit::db::TenantClaim;
use plasma_kit::events::{Event, for_each};
use plasma_kit::ids::{ChatId, TenantId, UserId};
use plasma_kit::{Db, Env, Failure};
use plasma_proto::messaging::v1 as pb;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

pub use crate::domain::{ChatState, DeviceSet};
pub use membership::Membership;
pub(crate) use peer_scope::PeerScope;

use crate::domain::{Refusal, UserKey};
use crate::ports::Access;
use crate::store;

/// How long a node may not have heard of a change of a chat or its pass.
const MEMBERSHIP_SILENCE_MAX: Duration = Duration::from_secs(5);
/// How long a node may not have heard of a change of a user's devices.
const DEVICE_SET_SILENCE_MAX: Duration = Duration::from_secs(1);
/// How old what somebody is refused for may be.
const REFUSAL_AGE_MAX: Duration = Duration::from_secs(1);
/// How long anything is remembered while every change is heard of.
const AGE_MAX: Duration = Duration::from_mins(5);
const ENTRIES_MAX: usize = 200_000;

/// The other end of a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parties {
    /// The other user.
    pub peer: UserKey,
    /// Whether the chat is closed.
    pub closed: bool,
    /// Whether one of the two has blocked it.
    pub blocked: bool,
}

/// Chats and device sets. A clone shares the caches.
#[derive(Clone)]
pub struct Directory {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    env: Env,
    access: Arc<dyn Access>,
    freshness: Freshness,
    /// Both members' views of a chat.
    chats: Aged<ChatId, Arc<[Arc<Membership>; 2]>>,
    device_sets: Aged<UserKey, Arc<DeviceSet>>,
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Directory")
    }
}

impl Directory {
    /// Begins with empty caches.
    pub fn new(db: Db, env: Env, access: Arc<dyn Access>, freshness: Freshness) -> Self {
        let inner = Inner {
            db,
            env,
            access,
            freshness,
            chats: Aged::new(AGE_MAX, ENTRIES_MAX),
            device_sets: Aged::new(AGE_MAX, ENTRIES_MAX),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Forgets what events change, until `stop`.
    pub fn watch(&self, events: broadcast::Receiver<Event>, stop: CancellationToken) {
        let directory = self.clone();
        tokio::spawn(for_each(events, stop, move |event| directory.handle(event)));
    }

    fn handle(&self, event: Event) {
        match event {
            Event::ChatChanged(chat) => self.inner.chats.remove(&chat),
            Event::AccountChanged(tenant, user) => {
                self.inner.device_sets.remove(&(tenant, user));
            }
            Event::Missed => {
                self.inner.chats.clear();
                self.inner.device_sets.clear();
            }
            Event::Revoked { .. } | Event::TenantChanged(_) | Event::AccountNotice(..) => {}
        }
    }

    /// How old what was looked up may be, given what may be unheard of.
    fn believed(&self, silence: Duration) -> Duration {
        if self.inner.freshness.is_within(silence) { AGE_MAX } else { silence }
    }

    /// The chat as the caller's user sees it, at most 5 seconds behind the store. `NOT_FOUND` where the user is
    /// no member.
    pub async fn membership(
        &self,
        actor: &DeviceActor,
        chat: ChatId,
    ) -> Result<Arc<Membership>, Failure> {
        self.membership_within(actor, chat, self.believed(MEMBERSHIP_SILENCE_MAX)).await
    }

    /// The chat as a caller's user sees it who is about to be refused: looked up a second ago at most,
    /// so that nobody waits for a node's memory to fade.
    pub(crate) async fn membership_for_refusal(
        &self,
        actor: &DeviceActor,
        chat: ChatId,
    ) -> Result<Arc<Membership>, Failure> {
        self.membership_within(actor, chat, REFUSAL_AGE_MAX).await
    }

    async fn membership_within(
        &self,
        actor: &DeviceActor,
        chat: ChatId,
        age: Duration,
    ) -> Result<Arc<Membership>, Failure> {
        let own = (actor.tenant, actor.user);
        let views = match self.inner.chats.get(&chat, age) {
            Some(views) => views,
            None => Box::pin(self.load_chat(actor, chat)).await?,
        };
        views
            .iter()
            .find(|view| view.own == own)
            .cloned()
            .ok_or_else(|| Refusal::ChatNotFound.into())
    }

    async fn load_chat(
        &self,
        actor: &DeviceActor,
        chat: ChatId,
    ) -> Result<Arc<[Arc<Membership>; 2]>, Failure> {
        let inner = &self.inner;
        let look = inner.chats.look(&chat);
        let db = inner.db.tenant(TenantClaim::of_device(actor));
        let member = store::chats::find(&db, actor.user, chat).await?;
        let mut member = member.ok_or(Refusal::ChatNotFound)?;
        let pass = inner.access.pass_term(chat).await?;
        if pass.is_some() && member.opened_at.is_none() {
            // The node that sold the access stopped before it could say so, or it was sold apart
            // from the chat's opening.
            member = store::chats::open(&db, &member, inner.env.now()).await?;
        }
        let views =
            [member, member.seen_by_peer()].map(|member| Arc::new(Membership::new(&member, pass)));
        let views = Arc::new(views);
        inner.chats.insert(chat, Arc::clone(&views), look);
        Ok(views)
    }

    /// A user's devices, at most 1 second behind the store. `NOT_FOUND` where the user has none.
    pub async fn device_set(
        &self,
        tenant: TenantId,
        user: UserId,
    ) -> Result<Arc<DeviceSet>, Failure> {
        let age = self.believed(DEVICE_SET_SILENCE_MAX);
        match self.inner.device_sets.get(&(tenant, user), age) {
            Some(set) => Ok(set),
            None => Box::pin(self.fresh_device_set(tenant, user)).await,
        }
    }

    /// A user's devices as the store has them now.
    pub(crate) async fn fresh_device_set(
        &self,
        tenant: TenantId,
        user: UserId,
    ) -> Result<Arc<DeviceSet>, Failure> {
        let inner = &self.inner;
        let key = (tenant, user);
        let look = inner.device_sets.look(&key);
        let db = inner.db.tenant(TenantClaim::of_peer(tenant));
        let set = store::accounts::device_set(&db, user).await?.ok_or(Refusal::UserNotFound)?;
        let set = Arc::new(set);
        inner.device_sets.insert(key, Arc::clone(&set), look);
        Ok(set)
    }

    /// What a viewer needs to know a user's devices: manifests from `after_epoch` on and always
    /// the one in force. `NOT_FOUND` where the user has no devices.
    pub async fn account_state(
        &self,
        tenant: TenantId,
        user: UserId,
        after_epoch: u64,
    ) -> Result<pb::AccountState, Failure> {
        let db = self.inner.db.tenant(TenantClaim::of_peer(tenant));
        accounts::state(&db, user, after_epoch).await
    }

    /// Who is at the other end of a user's chat, and whether it is closed, as the store has it now.
    /// `None` where the user has no such chat.
    pub async fn parties(
        &self,
        tenant: TenantId,
        user: UserId,
        chat: ChatId,
    ) -> Result<Option<Parties>, Failure> {
        let db = self.inner.db.tenant(TenantClaim::of_peer(tenant));
        let member = store::chats::find(&db, user, chat).await?;
        Ok(member.map(|member| Parties {
            peer: member.peer,
            closed: member.state() == ChatState::Closed,
            blocked: member.state() == ChatState::Blocked,
        }))
    }

    /// The chat of two users, if it is there and has been opened to both.
    pub(crate) async fn open_chat_between(
        &self,
        own: &DeviceActor,
        peer: UserKey,
    ) -> Result<Option<PeerScope>, Failure> {
        let db = self.inner.db.tenant(TenantClaim::of_device(own));
        let Some(member) = store::chats::between(&db, own.user, peer).await? else {
            return Ok(None);
        };
        let view = self.membership(own, member.chat).await?;
        Ok(view.opened.then(|| PeerScope::of_member(&member)))
    }
}
