//! What every load can do, whatever its calls: run, be looked at, and account for each message.

use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use tokio::task::JoinError;

use super::latency::Quantiles;
use super::order::Came;

/// What a load has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Messages that were sent, delivered and acknowledged.
    pub done: u64,
    /// Messages whose send was answered without storing them.
    pub delivered: u64,
    /// Messages that the server stored first.
    pub stored: u64,
    /// Deliveries beside the first of each message.
    pub repeated: u64,
    /// Messages that arrived after one that the same sender sent when they were answered already.
    pub misordered: u64,
    /// Messages that arrived after a later one of the same sender, both unanswered: no order is
    /// promised for them.
    pub overtaken: u64,
}

impl Tally {
    /// Counts how a message arrived.
    pub(super) fn count(&mut self, came: Came) {
        match came {
            Came::InOrder => {}
            Came::Overtaken => self.overtaken += 1,
            Came::Misordered => self.misordered += 1,
        }
    }

    /// Fails where the counts of a finished load disagree, or a message that was relayed came
    /// twice or out of order. What is stored may be offered a second time and come later, and which
    /// that was is not known: where anything was stored, neither is judged.
    pub(super) fn checked(self) -> Result<Self> {
        let Self { done, delivered, stored, repeated, misordered, .. } = self;
        ensure!(repeated == 0 || stored > 0, "{repeated} messages were delivered twice");
        ensure!(misordered == 0 || stored > 0, "{misordered} messages overtook an earlier one");
        ensure!(done == delivered + stored, "the counts of a load disagree: {self:?}");
        Ok(self)
    }
}

/// A load under way.
pub trait Running {
    /// Lets it run for a while. Fails as soon as any call or stream does.
    fn run(&mut self, duration: Duration) -> impl Future<Output = Result<()>>;

    /// What it has done so far.
    fn tally(&self) -> Tally;

    /// Forgets the latencies that were noted.
    fn begin_window(&self);

    /// The latencies noted since the window began.
    fn latencies(&self) -> Quantiles;

    /// Sends no more and waits until everything in flight is done. Fails where a message was lost
    /// or, though relayed, came twice or out of order.
    fn finish(self) -> impl Future<Output = Result<Tally>>;
}

/// Why a task that should run ended.
pub(super) fn why(ended: Option<Result<Result<()>, JoinError>>, what: &str) -> anyhow::Error {
    match ended {
        Some(Ok(Err(error))) => error.context(what.to_owned()),
        Some(Err(error)) => anyhow!(error).context(what.to_owned()),
        Some(Ok(Ok(()))) | None => anyhow!("{what} by itself"),
    }
}
