//! Who may do what in a chat of two users.

use plasma_kit::Timestamp;
use plasma_kit::ids::{ChatId, TenantId, UserId};

use super::refusal::Refusal;

/// A user of any platform.
pub type UserKey = (TenantId, UserId);

/// Whether a chat can be written in, passes aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatState {
    /// Neither blocked nor closed.
    Open,
    /// One of the two blocked it.
    Blocked,
    /// Closed for good.
    Closed,
}

impl ChatState {
    /// Refuses a chat that is blocked or closed.
    pub fn check_writable(self) -> Result<(), Refusal> {
        match self {
            Self::Open => Ok(()),
            Self::Blocked => Err(Refusal::ChatBlocked),
            Self::Closed => Err(Refusal::ChatClosed),
        }
    }
}

/// A chat as one of its two users sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The chat.
    pub chat: ChatId,
    /// The tenant that hosts it.
    pub host: TenantId,
    /// The user who sees it so.
    pub own: UserKey,
    /// The other user.
    pub peer: UserKey,
    /// Whether this user followed the other's link to open it.
    pub is_initiator: bool,
    /// When it came into being.
    pub created_at: Timestamp,
    /// When access to it was first granted.
    pub opened_at: Option<Timestamp>,
    /// When this user blocked it.
    pub blocked_at: Option<Timestamp>,
    /// When the other user blocked it.
    pub peer_blocked_at: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

impl Member {
    /// A chat that `initiator` opens from a link of `owner`, whose tenant hosts it.
    pub fn initiating(
        chat: ChatId,
        initiator: UserKey,
        owner: UserKey,
        created_at: Timestamp,
    ) -> Self {
        Self {
            chat,
            host: owner.0,
            own: initiator,
            peer: owner,
            is_initiator: true,
            created_at,
            opened_at: None,
            blocked_at: None,
            peer_blocked_at: None,
            closed_at: None,
        }
    }

    /// The same chat as the other user sees it.
    #[must_use]
    pub fn seen_by_peer(&self) -> Self {
        Self {
            own: self.peer,
            peer: self.own,
            is_initiator: !self.is_initiator,
            blocked_at: self.peer_blocked_at,
            peer_blocked_at: self.blocked_at,
            ..*self
        }
    }

    /// Whether it can be written in. Closed goes before blocked.
    pub fn state(&self) -> ChatState {
        if self.closed_at.is_some() {
            ChatState::Closed
        } else if self.blocked_at.is_some() || self.peer_blocked_at.is_some() {
            ChatState::Blocked
        } else {
            ChatState::Open
        }
    }
}

/// Puts two users into the one order in which a pair is stored.
pub fn ordered(one: UserKey, other: UserKey) -> (UserKey, UserKey) {
    if one <= other { (one, other) } else { (other, one) }
}

/// Refuses a chat that `now` nobody may write in: closed, blocked, or without a pass in force.
/// `pass` is the pass's end, if it has one.
pub fn is_open_at(
    state: ChatState,
    pass: Option<Option<Timestamp>>,
    now: Timestamp,
) -> Result<(), Refusal> {
    state.check_writable()?;
    match pass {
        Some(None) => Ok(()),
        Some(Some(end)) if now < end => Ok(()),
        Some(Some(_)) | None => Err(Refusal::AccessRequired),
    }
}

#[cfg(test)]
mod tests {
    use plasma_kit::Timestamp;
    use plasma_kit::ids::{ChatId, TenantId, UserId};
    use uuid::Uuid;

    use super::{ChatState, Member, is_open_at, ordered};
    use crate::domain::Refusal;

    fn user(tenant: u128, user: u128) -> (TenantId, UserId) {
        (TenantId(Uuid::from_u128(tenant)), UserId(Uuid::from_u128(user)))
    }

    #[test]
    fn a_pass_opens_until_the_moment_it_ends() {
        let open = |pass, now| is_open_at(ChatState::Open, pass, Timestamp(now));
        assert_eq!(open(None, 0), Err(Refusal::AccessRequired));
        assert_eq!(open(Some(None), i64::MAX), Ok(()));
        assert_eq!(open(Some(Some(Timestamp(10))), 9), Ok(()));
        assert_eq!(open(Some(Some(Timestamp(10))), 10), Err(Refusal::AccessRequired));
    }

    #[test]
    fn a_closed_or_blocked_chat_says_so_before_it_asks_for_money() {
        let refused = |state| is_open_at(state, None, Timestamp(0));
        assert_eq!(refused(ChatState::Blocked), Err(Refusal::ChatBlocked));
        assert_eq!(refused(ChatState::Closed), Err(Refusal::ChatClosed));
    }

    #[test]
    fn each_side_sees_its_own_block_and_both_see_the_state() {
        let chat = ChatId(Uuid::from_u128(9));
        let mut mine = Member::initiating(chat, user(1, 1), user(2, 2), Timestamp(5));
        assert_eq!(mine.host, user(2, 2).0);
        mine.blocked_at = Some(Timestamp(6));
        let theirs = mine.seen_by_peer();
        assert_eq!((mine.state(), theirs.state()), (ChatState::Blocked, ChatState::Blocked));
        assert_eq!((theirs.blocked_at, theirs.peer_blocked_at), (None, Some(Timestamp(6))));
        assert!(!theirs.is_initiator);
        assert_eq!(theirs.seen_by_peer(), mine);
        mine.closed_at = Some(Timestamp(7));
        assert_eq!(mine.seen_by_peer().state(), ChatState::Closed);
    }

    #[test]
    fn a_pair_has_one_order() {
        let (one, two) = (user(1, 9), user(2, 1));
        assert_eq!(ordered(one, two), ordered(two, one));
    }
}
