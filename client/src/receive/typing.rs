//! Who is writing, for as long as that holds. Kept in memory alone.

use std::collections::HashMap;
use std::time::Duration;

use plasma_identity::UserAddress;
use tokio::time::Instant;

use crate::event::Event;
use crate::id::ChatId;

/// For how long a notice holds unless it is repeated.
const LASTS: Duration = Duration::from_secs(6);

/// Users who are writing, and until when that is believed.
#[derive(Debug, Default)]
pub(super) struct Writers {
    until: HashMap<(ChatId, UserAddress), Instant>,
}

impl Writers {
    /// Follows what happens and leaves out what is no news: a notice that only repeats another.
    /// Whoever has sent a message writes no longer.
    pub(super) fn follow(&mut self, happened: Vec<Event>, now: Instant) -> Vec<Event> {
        let mut events = Vec::with_capacity(happened.len());
        for event in happened {
            match &event {
                Event::Typing { chat, user, active: true } => {
                    if self.until.insert((*chat, *user), now + LASTS).is_none() {
                        events.push(event);
                    }
                }
                Event::Typing { chat, user, active: false } => {
                    if self.until.remove(&(*chat, *user)).is_some() {
                        events.push(event);
                    }
                }
                Event::Message(message) => {
                    let (chat, user) = (message.chat, message.sender.user_address());
                    if self.until.remove(&(chat, user)).is_some() {
                        events.push(Event::Typing { chat, user, active: false });
                    }
                    events.push(event);
                }
                _ => events.push(event),
            }
        }
        events
    }

    /// Ends what was not repeated in time.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Event> {
        let ended = self.until.extract_if(|_, until| *until <= now);
        ended.map(|((chat, user), _)| Event::Typing { chat, user, active: false }).collect()
    }

    /// Returns when the next notice ends.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.until.values().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn typing(active: bool) -> Vec<Event> {
        let user = UserAddress { tenant: Uuid::from_u128(1), user: Uuid::from_u128(2) };
        vec![Event::Typing { chat: ChatId(Uuid::from_u128(3)), user, active }]
    }

    #[test]
    fn a_notice_is_told_once_and_ends_by_itself_six_seconds_after_its_last_repetition() {
        let mut writers = Writers::default();
        let start = Instant::now();
        assert_eq!(writers.follow(typing(true), start).len(), 1);
        let again = start + Duration::from_secs(4);
        assert!(writers.follow(typing(true), again).is_empty());
        assert!(writers.expire(start + LASTS).is_empty());
        assert_eq!(writers.next_end(), Some(again + LASTS));
        let ended = writers.expire(again + LASTS);
        assert!(matches!(&ended[..], [Event::Typing { active: false, .. }]));
        assert!(writers.follow(typing(false), again).is_empty(), "ended already");
        assert_eq!(writers.next_end(), None);
    }
}
