//! What the processes of the service have used.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::machine::{Usage, resident};

/// CPU of some processes since a moment, and their memory.
#[derive(Debug)]
pub struct Servers {
    processes: Vec<u32>,
    since: Vec<Usage>,
}

/// What was used.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Used {
    /// User and system time of all processes.
    pub cpu_seconds: f64,
    /// Memory of all processes now, in MiB.
    pub resident_mib: f64,
}

impl Servers {
    /// Begins to watch; nothing where there is no process to watch.
    pub fn watch(processes: Vec<u32>) -> Result<Self> {
        let since = processes.iter().map(|pid| Usage::of(*pid)).collect::<Result<_>>()?;
        Ok(Self { processes, since })
    }

    /// What was used since the last time; `None` where there is no process.
    pub fn take(&mut self) -> Result<Option<Used>> {
        if self.processes.is_empty() {
            return Ok(None);
        }
        let now: Vec<Usage> =
            self.processes.iter().map(|pid| Usage::of(*pid)).collect::<Result<_>>()?;
        let spent = now.iter().zip(&self.since).map(|(now, since)| now.since(since).cpu);
        let cpu_seconds = spent.sum::<Duration>().as_secs_f64();
        self.since = now;
        let resident: u64 = self.processes.iter().map(|pid| resident(*pid)).sum::<Result<_>>()?;
        let resident_mib = f64::from(u32::try_from(resident >> 10)?) / 1024.0;
        Ok(Some(Used { cpu_seconds, resident_mib }))
    }
}

#[cfg(test)]
mod tests {
    use super::Servers;

    #[test]
    fn a_process_uses_memory_and_nobody_uses_nothing() {
        let mut own = Servers::watch(vec![std::process::id()]).unwrap();
        assert!(own.take().unwrap().unwrap().resident_mib > 1.0);
        assert!(Servers::watch(Vec::new()).unwrap().take().unwrap().is_none());
    }
}
