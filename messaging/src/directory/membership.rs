//! A chat as one of its users sees it, with the pass.

use plasma_kit::ids::{ChatId, TenantId, UserId};
use plasma_kit::{Failure, Timestamp};

use crate::domain::{ChatState, Member, Refusal, is_open_at};
use crate::ports::PassTerm;

/// A chat as one of its users sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The chat.
    pub chat: ChatId,
    /// The user who sees it so.
    pub own: (TenantId, UserId),
    /// The other user.
    pub peer: (TenantId, UserId),
    /// Whether it can be written in, passes aside.
    pub state: ChatState,
    /// Whether `own` blocked it.
    pub blocked_by_me: bool,
    /// Whether access to it was ever granted.
    pub opened: bool,
    /// The pass in force.
    pub pass: Option<PassTerm>,
}

impl Membership {
    pub(super) fn new(member: &Member, pass: Option<PassTerm>) -> Self {
        Self {
            chat: member.chat,
            own: member.own,
            peer: member.peer,
            state: member.state(),
            blocked_by_me: member.blocked_at.is_some(),
            opened: member.opened_at.is_some() || pass.is_some(),
            pass,
        }
    }

    /// Refuses a message: `CHAT_CLOSED`, `CHAT_BLOCKED`, or `ACCESS_REQUIRED` without a pass in force.
    pub fn may_send(&self, now: Timestamp) -> Result<(), Failure> {
        is_open_at(self.state, self.pass.map(|pass| pass.expires_at), now).map_err(Failure::from)
    }

    /// Whether the messages of `own` are counted and cost a unit each.
    pub fn is_counted(&self) -> bool {
        self.pass.and_then(|pass| pass.counts) == Some(self.own)
    }

    /// Refuses control traffic: `CHAT_CLOSED`, `CHAT_BLOCKED`, or `ACCESS_REQUIRED` where nobody ever
    /// had access. An expired pass suffices: repairing a paid message needs no new payment.
    pub fn may_repair(&self) -> Result<(), Failure> {
        self.state.check_writable()?;
        if self.opened { Ok(()) } else { Err(Refusal::AccessRequired.into()) }
    }
}
