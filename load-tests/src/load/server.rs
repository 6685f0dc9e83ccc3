//! What the processes of the service have used, and what they stand on.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::beneath::{Beneath, Counters, Cpu, UsedBeneath};
use crate::machine::{Usage, resident};

/// CPU of some processes since a moment, and their memory.
#[derive(Debug)]
pub struct Servers {
    processes: Vec<u32>,
    beneath: Option<Beneath>,
    since: Moment,
}

/// What had been used at a moment.
#[derive(Debug)]
struct Moment {
    nodes: Vec<Usage>,
    beneath: Option<(Cpu, Counters)>,
}

/// What was used.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Used {
    /// User and system time of all nodes.
    pub cpu_seconds: f64,
    /// Memory of all nodes now, in MiB.
    pub resident_mib: f64,
    /// What PostgreSQL and Redis used, where they were started here.
    pub beneath: Option<UsedBeneath>,
}

impl Servers {
    /// Begins to watch; nothing where there is no process to watch.
    pub fn watch(processes: Vec<u32>, beneath: Option<Beneath>) -> Result<Self> {
        let since = Moment { nodes: Vec::new(), beneath: None };
        let mut servers = Self { processes, beneath, since };
        servers.begin()?;
        Ok(servers)
    }

    /// Begins anew.
    pub fn begin(&mut self) -> Result<()> {
        // The counters first: to read them costs something.
        let counters = self.counters()?;
        let (nodes, cpu) = self.cpu()?;
        self.since = Moment { nodes, beneath: cpu.zip(counters) };
        Ok(())
    }

    fn counters(&self) -> Result<Option<Counters>> {
        self.beneath.as_ref().map(Beneath::counters).transpose()
    }

    fn cpu(&self) -> Result<(Vec<Usage>, Option<Cpu>)> {
        let nodes = self.processes.iter().map(|pid| Usage::of(*pid)).collect::<Result<_>>()?;
        Ok((nodes, self.beneath.as_ref().map(Beneath::cpu).transpose()?))
    }

    /// What was used since the beginning; `None` where there is no process.
    pub fn used(&self) -> Result<Option<Used>> {
        if self.processes.is_empty() {
            return Ok(None);
        }
        let (nodes, cpu) = self.cpu()?;
        let counters = self.counters()?;
        let spent = nodes.iter().zip(&self.since.nodes).map(|(now, since)| now.since(since).cpu);
        let cpu_seconds = spent.sum::<Duration>().as_secs_f64();
        let resident: u64 = self.processes.iter().map(|pid| resident(*pid)).sum::<Result<_>>()?;
        let resident_mib = f64::from(u32::try_from(resident >> 10)?) / 1024.0;
        let now = cpu.zip(counters);
        let beneath = self
            .since
            .beneath
            .zip(now)
            .map(|(since, now)| UsedBeneath::between([since.0, now.0], [since.1, now.1]));
        Ok(Some(Used { cpu_seconds, resident_mib, beneath }))
    }
}

#[cfg(test)]
mod tests {
    use super::Servers;

    #[test]
    fn a_process_uses_memory_and_nobody_uses_nothing() {
        let own = Servers::watch(vec![std::process::id()], None).unwrap();
        let used = own.used().unwrap().unwrap();
        assert!(used.resident_mib > 1.0 && used.beneath.is_none());
        assert!(Servers::watch(Vec::new(), None).unwrap().used().unwrap().is_none());
    }
}
