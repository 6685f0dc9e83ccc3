//! Questions that need one fault at one moment, each with a cluster for itself. What is answered is
//! a promise of the service, so that a node with a planted bug breaks one.

mod bus_down;
mod device;
mod drain;
mod hints;
mod overlap;
mod scene;
mod store_down;

use std::fmt;

use anyhow::Result;
use plasma_testkit::ClusterKind;

pub use scene::{BRIEF_STREAMS, Nodes, Scene};

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// Does a device that is online hear at once of what is stored for it?
    Hints,
    /// Does everything arrive that is stored at the same time through several nodes?
    Overlap,
    /// Does a device that is online get what is stored while the bus is down?
    BusDown,
    /// Is nothing answered OK while the store is down that is not there afterwards?
    StoreDown,
    /// Is every stream of a node that ends told so, and back at once?
    Drain,
}

impl Probe {
    /// Every question.
    pub const ALL: [Self; 5] =
        [Self::Hints, Self::Overlap, Self::BusDown, Self::StoreDown, Self::Drain];

    /// Whether the question makes sense for a way to run.
    pub fn fits(self, kind: ClusterKind) -> bool {
        kind == ClusterKind::Scaled || !matches!(self, Self::BusDown | Self::StoreDown)
    }

    /// Asks. An error is one of the harness.
    pub async fn ask(self, scene: &mut Scene) -> Result<Found> {
        match self {
            Self::Hints => hints::ask(scene).await,
            Self::Overlap => overlap::ask(scene).await,
            Self::BusDown => bus_down::ask(scene).await,
            Self::StoreDown => store_down::ask(scene).await,
            Self::Drain => drain::ask(scene).await,
        }
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hints => "hints",
            Self::Overlap => "overlap",
            Self::BusDown => "bus down",
            Self::StoreDown => "store down",
            Self::Drain => "drain",
        })
    }
}

/// The answer to a question, with its figures in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The promise was kept.
    Kept(String),
    /// The promise was broken.
    Broken(String),
}

impl Found {
    /// Whether the promise was kept.
    pub fn is_kept(&self) -> bool {
        matches!(self, Self::Kept(_))
    }

    fn when(is_kept: bool, words: String) -> Self {
        if is_kept { Self::Kept(words) } else { Self::Broken(words) }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept(words) => write!(f, "kept: {words}"),
            Self::Broken(words) => write!(f, "BROKEN: {words}"),
        }
    }
}
