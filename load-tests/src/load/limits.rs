//! What the machine must allow: open files and ports for as many connections.

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are open beside one connection for each device.
const FILES_BESIDE: u64 = 512;

/// Raises the limit of open files, which the nodes that are started here inherit. Fails where the
/// machine does not allow enough for so many connections.
pub fn allow_connections(connections: usize, nodes: usize) -> Result<()> {
    let needed = connections as u64 + FILES_BESIDE;
    let limits = getrlimit(Resource::Nofile);
    let hard = limits.maximum.unwrap_or(u64::MAX);
    ensure!(
        hard >= needed,
        "{connections} connections need {needed} open files, and this shell allows {hard} at most: \
         raise the hard limit (`ulimit -Hn`, as root), or take fewer --devices"
    );
    if limits.current.is_some_and(|soft| soft < needed) {
        let raised = Rlimit { current: limits.maximum, maximum: limits.maximum };
        setrlimit(Resource::Nofile, raised).context("raise the limit of open files")?;
    }
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let ports = range.ok().and_then(|range| ports(&range)).unwrap_or(u64::MAX);
    let for_a_node = connections.div_ceil(nodes.max(1)) as u64;
    ensure!(
        for_a_node <= ports,
        "{for_a_node} connections to one node need as many ports, and this machine has {ports}: \
         widen net.ipv4.ip_local_port_range, or take fewer --devices"
    );
    Ok(())
}

fn ports(range: &str) -> Option<u64> {
    let mut bounds = range.split_whitespace().map(|bound| bound.parse::<u64>().ok());
    let (low, high) = (bounds.next()??, bounds.next()??);
    Some(high.checked_sub(low)? + 1)
}

#[cfg(test)]
mod tests {
    use super::{allow_connections, ports};

    #[test]
    fn what_the_machine_does_not_allow_is_said_with_what_to_do() {
        allow_connections(10, 1).unwrap();
        let error = allow_connections(1 << 40, 1).unwrap_err().to_string();
        assert!(error.contains("--devices"), "{error}");
    }

    #[test]
    fn the_range_of_ports_is_read() {
        assert_eq!(ports("32768\t60999\n"), Some(28_232));
        assert_eq!(ports("x"), None);
    }
}
