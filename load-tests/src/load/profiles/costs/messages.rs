//! Messages whose devices are there: on one node and on two, in known chats and in unknown ones.

use anyhow::Result;

use super::couples::{Couple, write};
use super::spent::{Spent, each};
use super::{Bench, Roles};
use crate::load::progress::say;
use crate::size::Unit;

/// Online messages under way at a time. With more, one wake-up of a process serves several messages,
/// and each is cheaper: what is reckoned with is on the safe side.
const IN_FLIGHT: usize = 8;
/// The part of the messages that may be stored although their devices are there.
const STORED_MAX: f64 = 0.02;

impl Bench<'_> {
    /// What a message costs whose devices are both there and whose chat is known.
    pub(super) async fn online(
        &mut self,
        name: &str,
        couples: &[Couple],
        messages: usize,
    ) -> Result<Unit> {
        let couples = &couples[..self.stage.plan.in_flight.min(couples.len())];
        write(couples, 4 * couples.len(), IN_FLIGHT).await?;
        self.stage.drain().await;
        self.stage.begin(&format!("{messages} messages, {name}"))?;
        write(couples, messages, IN_FLIGHT).await?;
        self.stage.drain().await;
        let (spent, cost) = self.end(name)?;
        told_where_stored(&spent);
        Ok(each(cost, spent.accepted))
    }

    /// What a message costs more in a chat that was never written in, and what a node keeps of it.
    pub(super) async fn look_up(&mut self, roles: &Roles, known: Unit) -> Result<(Unit, f64)> {
        let messages = roles.unknown.len();
        self.stage.begin(&format!("{messages} messages in as many unknown chats"))?;
        let before = self.target.resident_kib();
        write(&roles.unknown, messages, IN_FLIGHT).await?;
        self.stage.drain().await;
        let (spent, cost) = self.end("unknown chats")?;
        told_where_stored(&spent);
        let more = each(cost - known.each * spent.accepted, spent.accepted);
        Ok((more, (spent.resident_kib - before).max(0.0) / spent.accepted.max(1.0)))
    }
}

/// Messages that were stored although their devices were there cost more than was asked for.
fn told_where_stored(spent: &Spent) {
    if spent.stored > STORED_MAX * spent.accepted {
        say(format!(
            "{} of {} messages were stored although their devices were there: the machine is too \
             busy to measure on",
            spent.stored, spent.accepted
        ));
    }
}
