//! Whatever the order in which things arrive, all devices of a user show the same in the end.

use plasma_proto::content::v1::ReceiptKind;
use proptest::prelude::*;
use proptest::sample::Index;
use tokio::runtime::Builder;

use super::stage::{Actor, Written};
use crate::message::{Direction, Message, MessageRef, MessageState};

/// What happens: somebody does something, or something arrives somewhere.
#[derive(Debug, Clone)]
enum Step {
    Write(Index),
    Edit(Index, Index),
    Delete(Index, Index),
    React(Index, Index, u8),
    /// Marks as read what the device shows, up to a message.
    Read(Index, Index),
    Delivered(Index, Index),
    /// One content arrives at a device, and may arrive there again.
    Arrive(Index, Index, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        3 => index().prop_map(Step::Write),
        1 => (index(), index()).prop_map(|(who, what)| Step::Edit(who, what)),
        1 => (index(), index()).prop_map(|(who, what)| Step::Delete(who, what)),
        2 => (index(), index(), 0_u8..3).prop_map(|(who, what, emoji)| Step::React(who, what, emoji)),
        3 => (index(), index()).prop_map(|(who, what)| Step::Read(who, what)),
        2 => (index(), index()).prop_map(|(who, what)| Step::Delivered(who, what)),
        8 => (index(), index(), any::<bool>()).prop_map(|(who, what, again)| Step::Arrive(who, what, again)),
    ]
}

/// Ann's three devices and Bob's two, and what is on its way to each.
struct World {
    actors: Vec<Actor>,
    on_their_way: Vec<Vec<Written>>,
    count: usize,
}

impl World {
    fn new() -> Self {
        let ann = |device| Actor::new(1, device, 2);
        let bob = |device| Actor::new(2, device, 1);
        let actors = vec![ann(15), ann(11), ann(13), bob(12), bob(14)];
        Self { on_their_way: actors.iter().map(|_| Vec::new()).collect(), actors, count: 0 }
    }

    fn send(&mut self, from: usize, written: &Written) {
        for (to, way) in self.on_their_way.iter_mut().enumerate() {
            if to != from {
                way.push(written.clone());
            }
        }
    }

    fn play(&mut self, step: &Step) {
        let actors = self.actors.len();
        match step {
            Step::Write(who) => {
                let who = who.index(actors);
                self.count += 1;
                let (_, written) = self.actors[who].text(&format!("text {}", self.count));
                self.send(who, &written);
            }
            Step::Edit(who, what) => {
                let who = who.index(actors);
                self.count += 1;
                if let Some(message) = self.shown(who, *what, Some(Direction::Outgoing)) {
                    let written = self.actors[who].edit(message, &format!("edit {}", self.count));
                    self.send(who, &written);
                }
            }
            Step::Delete(who, what) => {
                let who = who.index(actors);
                if let Some(message) = self.shown(who, *what, Some(Direction::Outgoing)) {
                    let written = self.actors[who].delete(message);
                    self.send(who, &written);
                }
            }
            Step::React(who, what, emoji) => {
                let who = who.index(actors);
                if let Some(message) = self.shown(who, *what, None) {
                    let emoji = ["", "one", "two"][usize::from(*emoji)];
                    let written = self.actors[who].react(message, emoji);
                    self.send(who, &written);
                }
            }
            Step::Read(who, what) => {
                let who = who.index(actors);
                if let Some(message) = self.shown(who, *what, None) {
                    for written in self.actors[who].read_up_to(message) {
                        self.send(who, &written);
                    }
                }
            }
            Step::Delivered(who, what) => {
                let who = who.index(actors);
                if let Some(message) = self.shown(who, *what, Some(Direction::Incoming)) {
                    let written = self.actors[who].receipt(ReceiptKind::Delivered, &[message]);
                    self.send(who, &written);
                }
            }
            Step::Arrive(who, what, again) => self.arrive(who.index(actors), *what, *again),
        }
    }

    fn shown(&self, who: usize, what: Index, of: Option<Direction>) -> Option<MessageRef> {
        let wanted = |message: &Message| of.is_none_or(|of| message.direction == of);
        let shown: Vec<_> = self.actors[who].history().into_iter().filter(wanted).collect();
        (!shown.is_empty()).then(|| shown[what.index(shown.len())].reference())
    }

    fn arrive(&mut self, who: usize, what: Index, again: bool) {
        let way = &mut self.on_their_way[who];
        if !way.is_empty() {
            let at = what.index(way.len());
            let written = if again { way[at].clone() } else { way.swap_remove(at) };
            self.actors[who].take(&written);
        }
    }

    fn deliver_the_rest(&mut self, order: &[Index]) {
        let mut order = order.iter().cycle();
        for who in 0..self.actors.len() {
            while !self.on_their_way[who].is_empty() {
                self.arrive(who, *order.next().unwrap(), false);
            }
        }
    }
}

/// What a person sees on a device. Only the writing device knows that the service has not
/// answered yet.
fn seen(actor: &Actor) -> (u64, Vec<Message>) {
    let mut history = actor.history();
    for message in &mut history {
        if message.state == MessageState::Pending {
            message.state = MessageState::Sent;
        }
    }
    (actor.unread(), history)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Counts, texts, reactions and states agree on all devices of each user, and what the two
    /// users see of the texts agrees as well.
    #[test]
    fn all_devices_agree_in_the_end(
        steps in proptest::collection::vec(step(), 1..60),
        order in proptest::collection::vec(any::<Index>(), 1..60),
    ) {
        // A device's channel wants a runtime, though nothing is sent here.
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let _entered = runtime.enter();
        let mut world = World::new();
        for step in &steps {
            world.play(step);
        }
        world.deliver_the_rest(&order);
        let [ann, ann2, ann3, bob, bob2] = &world.actors[..] else { unreachable!() };
        prop_assert_eq!(seen(ann), seen(ann2));
        prop_assert_eq!(seen(ann), seen(ann3));
        prop_assert_eq!(seen(bob), seen(bob2));
        let texts = |actor: &Actor| -> Vec<_> {
            actor.history().into_iter().map(|shown| (shown.id, shown.text, shown.reactions)).collect()
        };
        prop_assert_eq!(texts(ann), texts(bob));
        let read_by_bob = |message: &Message| {
            message.direction == Direction::Outgoing && message.state == MessageState::Read
        };
        let theirs = bob.history().into_iter().filter(|shown| shown.read).count();
        prop_assert_eq!(ann.history().iter().filter(|shown| read_by_bob(shown)).count(), theirs);
    }
}
