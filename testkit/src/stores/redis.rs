//! The command counters of a Redis server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::resp;

const TIMEOUT: Duration = Duration::from_secs(5);

/// The commands of a bus and of its connections: none of them stores anything. A subcommand
/// (`client|setinfo`) counts as its command.
pub const BUS_COMMANDS: [&str; 16] = [
    "auth",
    "client",
    "cluster",
    "command",
    "hello",
    "info",
    "ping",
    "psubscribe",
    "publish",
    "quit",
    "select",
    "spublish",
    "ssubscribe",
    "subscribe",
    "sunsubscribe",
    "unsubscribe",
];

pub(super) fn is_of_bus(command: &str) -> bool {
    let command = command.split('|').next().unwrap_or_default();
    BUS_COMMANDS.contains(&command)
}

#[derive(Debug)]
pub(super) struct Observer {
    address: SocketAddr,
}

impl Observer {
    pub(super) fn new(url: &str) -> Result<Self> {
        Ok(Self { address: resp::address(url)? })
    }

    /// Calls by command, the observer's own INFO left out.
    pub(super) fn read(&self) -> Result<BTreeMap<String, u64>> {
        let mut calls = parse(&resp::call(self.address, &["INFO", "commandstats"], TIMEOUT)?)?;
        calls.remove("info");
        Ok(calls)
    }
}

/// Reads lines such as `cmdstat_spublish:calls=3,usec=12,…`.
fn parse(info: &str) -> Result<BTreeMap<String, u64>> {
    info.lines()
        .filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(':'))
        .map(|(command, stats)| {
            let calls = stats
                .split(',')
                .find_map(|stat| stat.strip_prefix("calls="))
                .with_context(|| format!("no calls of {command}"))?;
            Ok((command.to_owned(), calls.parse()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{is_of_bus, parse};

    #[test]
    fn command_counters_are_read() {
        let info = "# Commandstats\r\ncmdstat_spublish:calls=3,usec=9,usec_per_call=3.00\r\n\
                    cmdstat_client|setinfo:calls=2,usec=1\r\n";
        let calls = parse(info).unwrap();
        assert_eq!(calls["spublish"], 3);
        assert_eq!(calls["client|setinfo"], 2);
        assert!(parse("cmdstat_get:usec=1").is_err());
    }

    #[test]
    fn a_command_that_stores_is_not_of_the_bus() {
        assert!(is_of_bus("spublish") && is_of_bus("client|setinfo"));
        for command in ["set", "xadd", "lpush", "eval", "get", "expire"] {
            assert!(!is_of_bus(command), "{command}");
        }
    }
}
