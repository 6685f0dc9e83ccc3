//! A history: who is there, and what happens. Drawn from a seed alone.

use std::fmt;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};

/// Most devices of a person at a time.
pub const DEVICES_MAX: usize = 5;

/// What happens in one step. Which device, chat or item it happens to is picked among those that
/// there are then.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    Send,
    /// The service takes the message, and the sender does not learn of it.
    SendUnanswered,
    Deliver,
    /// Processed, but the acknowledgement is lost: the item comes again.
    DeliverUnacknowledged,
    DeliverAll,
    /// The delivery is lost on the way: the item comes again, behind the others.
    Drop,
    /// The service loses the item for good.
    Lose,
    Duplicate,
    /// The service puts the label of a message that the device has on another one.
    Relabel,
    Snapshot,
    Restore,
    Archive,
    TopUp,
    Rotate,
    Link,
    Revoke,
    Renew,
    Reinstall,
    Recover,
    /// A revoked device goes on sending, under a manifest of its own making.
    Intrude,
    Wait,
}

const WEIGHTS: [(Kind, u32); 21] = [
    (Kind::Send, 120),
    (Kind::SendUnanswered, 8),
    (Kind::Deliver, 160),
    (Kind::DeliverUnacknowledged, 16),
    (Kind::DeliverAll, 24),
    (Kind::Drop, 12),
    (Kind::Lose, 8),
    (Kind::Duplicate, 14),
    (Kind::Relabel, 8),
    (Kind::Snapshot, 14),
    (Kind::Restore, 10),
    (Kind::Archive, 6),
    (Kind::TopUp, 6),
    (Kind::Rotate, 4),
    (Kind::Link, 12),
    (Kind::Revoke, 8),
    (Kind::Renew, 4),
    (Kind::Reinstall, 5),
    (Kind::Recover, 4),
    (Kind::Intrude, 6),
    (Kind::Wait, 4),
];

/// One step, with randomness of its own, so that leaving out another one changes little.
#[derive(Clone, Copy)]
pub struct Step {
    pub kind: Kind,
    pub picks: [usize; 3],
    pub seed: u64,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.kind, self.picks)
    }
}

/// A whole history.
#[derive(Clone, Debug)]
pub struct History {
    pub seed: u64,
    /// How many devices each person begins with.
    pub people: Vec<usize>,
    pub chats: Vec<[usize; 2]>,
    pub steps: Vec<Step>,
}

fn below(rng: &mut ChaCha20Rng, limit: usize) -> usize {
    usize::try_from(rng.next_u32()).unwrap() % limit
}

impl History {
    /// Draws the history of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let people: Vec<_> = (0..2 + below(&mut rng, 3)).map(|_| 1 + below(&mut rng, 4)).collect();
        let mut chats = Vec::new();
        for second in 1..people.len() {
            let partner = below(&mut rng, second);
            let others = (0..second).filter(|first| *first == partner || rng.next_u32() % 3 == 0);
            chats.extend(others.map(|first| [first, second]));
        }
        let steps = (0..20 + below(&mut rng, 101)).map(|_| step(&mut rng)).collect();
        Self { seed, people, chats, steps }
    }
}

fn step(rng: &mut ChaCha20Rng) -> Step {
    let total: u32 = WEIGHTS.iter().map(|(_, weight)| weight).sum();
    let mut drawn = rng.next_u32() % total;
    let (kind, _) = WEIGHTS
        .into_iter()
        .find(|(_, weight)| {
            let hit = drawn < *weight;
            drawn = drawn.wrapping_sub(*weight);
            hit
        })
        .unwrap();
    let picks = [(); 3].map(|()| below(rng, 1 << 16));
    Step { kind, picks, seed: rng.next_u64() }
}
