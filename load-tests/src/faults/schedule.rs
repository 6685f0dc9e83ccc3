//! What happens when, drawn from a seed: the same seed gives the same faults after the same pauses.
//!
//! There are two lanes, which run side by side, so that a node may be killed while Redis is frozen.
//! Each draws from a deck that holds every fault, and shuffles it anew when it is empty: no kind of
//! fault is left out for long.

use std::fmt;
use std::time::Duration;

use plasma_testkit::ClusterKind;

use crate::dice::Dice;

/// Something that happens to the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A node is killed (SIGKILL) and started again.
    KillNode(usize),
    /// A node is told to end (SIGTERM), ends, and is started again.
    DrainNode(usize),
    /// Redis is killed and is back, empty, after a while.
    KillRedis(Duration),
    /// Redis stands still (SIGSTOP) for a while: connections stay, nothing answers.
    FreezeRedis(Duration),
    /// PostgreSQL crashes and is back after a while.
    CrashPostgres(Duration),
    /// The readers with a weak line read slowly for a while.
    SlowReaders(Duration),
    /// The connections of the readers with a weak line go dead, and the nodes do not hear of it.
    StrandReaders,
}

impl Fault {
    /// Its kind, under which faults are counted.
    pub fn kind(self) -> &'static str {
        match self {
            Self::KillNode(_) => "node killed",
            Self::DrainNode(_) => "node drained",
            Self::KillRedis(_) => "Redis killed",
            Self::FreezeRedis(_) => "Redis frozen",
            Self::CrashPostgres(_) => "PostgreSQL crashed",
            Self::SlowReaders(_) => "readers slow",
            Self::StrandReaders => "readers stranded",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match self {
            Self::KillNode(node) | Self::DrainNode(node) => write!(f, "{kind}: {}", node + 1),
            Self::KillRedis(time)
            | Self::FreezeRedis(time)
            | Self::CrashPostgres(time)
            | Self::SlowReaders(time) => write!(f, "{kind} for {:.1} s", time.as_secs_f64()),
            Self::StrandReaders => f.write_str(kind),
        }
    }
}

/// Faults without end, each after a pause.
#[derive(Debug)]
pub struct Lane {
    dice: Dice,
    kinds: Vec<Fault>,
    deck: Vec<Fault>,
    nodes: usize,
    pause: Duration,
}

/// A node every few seconds.
const NODE_PAUSE: Duration = Duration::from_millis(2_500);
const WEATHER_PAUSE: Duration = Duration::from_secs(2);
/// How long something is away or slow, about.
const AWAY: Duration = Duration::from_secs(2);

impl Lane {
    /// What happens to nodes: three are killed for each that is drained.
    pub fn nodes(seed: u64, nodes: usize) -> Self {
        let kill = Fault::KillNode(0);
        Self::new(seed, vec![kill, kill, kill, Fault::DrainNode(0)], nodes, NODE_PAUSE)
    }

    /// What happens to everything around them.
    pub fn weather(seed: u64, kind: ClusterKind) -> Self {
        let mut kinds = vec![Fault::SlowReaders(AWAY), Fault::StrandReaders];
        if kind == ClusterKind::Scaled {
            let servers =
                [Fault::KillRedis(AWAY), Fault::FreezeRedis(AWAY), Fault::CrashPostgres(AWAY)];
            kinds.extend(servers);
        }
        // Not the numbers of the other lane.
        Self::new(!seed, kinds, 1, WEATHER_PAUSE)
    }

    fn new(seed: u64, kinds: Vec<Fault>, nodes: usize, pause: Duration) -> Self {
        Self { dice: Dice::new(seed), kinds, deck: Vec::new(), nodes, pause }
    }

    /// The next fault, and the pause before it.
    pub fn draw(&mut self) -> (Duration, Fault) {
        if self.deck.is_empty() {
            self.deck.clone_from(&self.kinds);
        }
        let drawn = self.deck.swap_remove(self.dice.below(self.deck.len()));
        let pause = self.dice.around(self.pause);
        let fault = match drawn {
            Fault::KillNode(_) => Fault::KillNode(self.dice.below(self.nodes)),
            Fault::DrainNode(_) => Fault::DrainNode(self.dice.below(self.nodes)),
            Fault::KillRedis(time) => Fault::KillRedis(self.dice.around(time)),
            Fault::FreezeRedis(time) => Fault::FreezeRedis(self.dice.around(time)),
            Fault::CrashPostgres(time) => Fault::CrashPostgres(self.dice.around(time)),
            Fault::SlowReaders(time) => Fault::SlowReaders(self.dice.around(time)),
            Fault::StrandReaders => Fault::StrandReaders,
        };
        (pause, fault)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use plasma_testkit::ClusterKind;

    use super::Lane;

    #[test]
    fn a_seed_gives_the_same_faults_and_every_kind_comes_in_each_round() {
        for kind in ClusterKind::BOTH {
            let lanes = |seed| [Lane::nodes(seed, 2), Lane::weather(seed, kind)];
            for (mut lane, mut again) in lanes(7).into_iter().zip(lanes(7)) {
                let round = lane.kinds.len();
                let all: BTreeSet<_> = lane.kinds.iter().map(|fault| fault.kind()).collect();
                for _ in 0..3 {
                    let drawn: Vec<_> = (0..round).map(|_| lane.draw()).collect();
                    assert_eq!(drawn, (0..round).map(|_| again.draw()).collect::<Vec<_>>());
                    let kinds: BTreeSet<_> = drawn.iter().map(|(_, fault)| fault.kind()).collect();
                    assert_eq!(kinds, all);
                }
            }
            let (mut one, mut other) = (Lane::nodes(1, 2), Lane::nodes(2, 2));
            assert_ne!(one.draw(), other.draw());
        }
    }
}
