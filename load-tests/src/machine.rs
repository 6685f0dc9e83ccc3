//! The machine: two cores to pin to, and what processes used of them.
//!
//! Reads `/proc` and calls `taskset`, so it works on Linux alone.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::time::{ClockId, clock_gettime};

/// Which core serves and which one loads it.
#[derive(Debug, Clone)]
pub struct Cores {
    server: usize,
    generator: usize,
    /// Every core that this process may use, as `taskset` takes them.
    all: String,
}

impl Cores {
    /// Takes the first two cores that this process may use.
    pub fn find() -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status")
            .context("the bench reads /proc, which only Linux has")?;
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        let all = allowed.context("no Cpus_allowed_list in /proc/self/status")?.trim().to_owned();
        let cores = numbers(&all).with_context(|| format!("read the list of cores {all}"))?;
        let [server, generator, ..] = cores[..] else {
            bail!(
                "the bench needs two cores, one for the server and one for the load; here: {all}"
            );
        };
        Ok(Self { server, generator, all })
    }

    /// Pins a process, with every thread it has, to the server's core.
    pub fn pin_server(&self, pid: u32) -> Result<()> {
        taskset(&self.server.to_string(), pid)
    }

    /// Pins a process and its children to the server's core; what they start later stays there.
    /// They get the scheduling priority of this process, which a session of their own has lost.
    pub fn pin_server_tree(&self, pid: u32) -> Result<()> {
        self.pin_server(pid)?;
        for child in children(pid)? {
            self.pin_server(child)?;
            follow(child);
        }
        Ok(())
    }

    /// Pins a process, with every thread it has, to the generator's core.
    pub fn pin_generator(&self, pid: u32) -> Result<()> {
        taskset(&self.generator.to_string(), pid)
    }

    /// Lets a process use every core again.
    pub fn unpin(&self, pid: u32) -> Result<()> {
        taskset(&self.all, pid)
    }

    /// The time for which the server's core has run anything, since the machine started.
    pub fn server_core_busy(&self) -> Result<Duration> {
        let stat = fs::read_to_string("/proc/stat").context("read /proc/stat")?;
        let name = format!("cpu{} ", self.server);
        let line =
            stat.lines().find_map(|line| line.strip_prefix(&name)).context("no such core")?;
        let ticks: Vec<u64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        // user, nice, system, idle, iowait, irq, softirq, steal; guest time is in user.
        let busy = [0, 1, 2, 5, 6, 7].iter().filter_map(|field| ticks.get(*field)).sum();
        Ok(of_ticks(busy))
    }
}

/// Reads a list such as `0-3,8`.
fn numbers(list: &str) -> Option<Vec<usize>> {
    let mut numbers = Vec::new();
    for part in list.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        numbers.extend(from.trim().parse().ok()?..=to.trim().parse::<usize>().ok()?);
    }
    Some(numbers)
}

/// The processes that a process started and that still run.
pub fn children(parent: u32) -> Result<Vec<u32>> {
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc").context("read /proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // A process may end while it is looked at.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent_of = stat.rsplit_once(") ").and_then(|(_, fields)| fields.split(' ').nth(1));
        if parent_of.and_then(|field| field.parse().ok()) == Some(parent) {
            children.push(pid);
        }
    }
    Ok(children)
}

/// Gives the scheduling group of another process the priority of one's own. Every session has a
/// group, and every process of PostgreSQL is a session.
fn follow(pid: u32) {
    let Ok(own) = fs::read_to_string("/proc/self/autogroup") else { return };
    if let Some((_, nice)) = own.trim().rsplit_once("nice ") {
        // It may have ended, and only root may raise a priority; then it stays as it is.
        let _ = fs::write(format!("/proc/{pid}/autogroup"), nice);
    }
}

fn taskset(cores: &str, pid: u32) -> Result<()> {
    let output = Command::new("taskset")
        .args(["--all-tasks", "--cpu-list", "--pid", cores, &pid.to_string()])
        .stdin(Stdio::null())
        .output()
        .context("run taskset, which is in the package util-linux")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "taskset {cores} for {pid}: {}", error.trim());
    Ok(())
}

/// What a process has used, at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    cpu: Duration,
    waited: Duration,
    at: Instant,
}

impl Usage {
    /// Reads it: CPU from `stat`, and from `schedstat` the time for which threads could have run
    /// but did not get their core.
    pub fn of(pid: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
            .with_context(|| format!("the process {pid} is gone"))?;
        let cpu = cpu_ticks(&stat, Whose::Own).with_context(|| format!("read /proc/{pid}/stat"))?;
        let mut waited = 0;
        for thread in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
            // A thread may end while it is looked at.
            let text = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
            waited += text.split(' ').nth(1).and_then(|field| field.parse().ok()).unwrap_or(0);
        }
        Ok(Self { cpu: of_ticks(cpu), waited: Duration::from_nanos(waited), at: Instant::now() })
    }

    /// What was used since an earlier moment.
    pub fn since(&self, earlier: &Self) -> Spent {
        let wall = self.at.duration_since(earlier.at);
        let cpu = self.cpu.saturating_sub(earlier.cpu);
        let wanted = cpu + self.waited.saturating_sub(earlier.waited);
        let share = cpu.as_secs_f64() / wall.as_secs_f64();
        Spent { cpu, wall, share, busy: (wanted.as_secs_f64() / wall.as_secs_f64()).min(1.0) }
    }
}

/// The memory of a process that lies in RAM, in bytes.
pub fn resident(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("the process {pid} is gone"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kib.with_context(|| format!("no VmRSS in /proc/{pid}/status"))? * 1024)
}

/// The CPU time of the processes that a process has started and that still run.
pub fn cpu_of_children(pid: u32) -> Result<Duration> {
    let mut ticks = 0;
    for child in children(pid)? {
        // A process may end while it is looked at.
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        ticks += cpu_ticks(&stat, Whose::Own).unwrap_or_default();
    }
    Ok(of_ticks(ticks))
}

/// The machine in words: cores that this process may use, their kind, memory.
pub fn description() -> String {
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.trim().strip_prefix(':').map(str::to_owned));
        line.map_or_else(|| "unknown".to_owned(), |value| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    let gib = kib.unwrap_or_default() >> 20;
    format!("{cores} cores of {}, {gib} GiB", field("/proc/cpuinfo", "model name"))
}

/// The CPU time that the calling thread has used.
pub fn own_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), nanos)
}

/// What a process used in a window.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    /// CPU time, the kernel's for the process included.
    pub cpu: Duration,
    /// How long the window was.
    pub wall: Duration,
    /// CPU time as a part of the window.
    pub share: f64,
    /// The part of the window in which the process ran or waited for its core. Near 1, it never
    /// had to wait for work, whoever else was on the core.
    pub busy: f64,
}

/// Whose time a line of `/proc/<pid>/stat` is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Whose {
    /// The process's own.
    Own,
    /// That of its children that have ended and were waited for.
    Ended,
}

/// User and system time in a line of `/proc/<pid>/stat`, in ticks.
pub(crate) fn cpu_ticks(stat: &str, whose: Whose) -> Option<u64> {
    // The name, in parentheses, may hold anything; what follows it begins with the third field.
    let (_, fields) = stat.rsplit_once(") ")?;
    let before = match whose {
        Whose::Own => 11,
        Whose::Ended => 13,
    };
    let mut fields = fields.split(' ').skip(before);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

pub(crate) fn of_ticks(ticks: u64) -> Duration {
    Duration::from_nanos(
        ticks.saturating_mul(1_000_000_000 / rustix::param::clock_ticks_per_second()),
    )
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Cores, Usage, Whose, cpu_ticks, numbers, own_cpu};

    #[test]
    fn lists_of_cores_are_read() {
        assert_eq!(numbers("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(numbers("7"), Some(vec![7]));
        assert_eq!(numbers("a"), None);
    }

    #[test]
    fn a_process_may_call_itself_anything() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 1 2 3 4 250 50 7 8 20 0 1 0 100 1 1";
        assert_eq!(cpu_ticks(stat, Whose::Own), Some(300));
        assert_eq!(cpu_ticks(stat, Whose::Ended), Some(15));
        assert_eq!(cpu_ticks("42", Whose::Own), None);
    }

    #[test]
    fn a_busy_thread_is_seen_to_be_busy() {
        let pid = std::process::id();
        let before = Usage::of(pid).unwrap();
        let (started, own_before) = (Instant::now(), own_cpu());
        let mut turns = 0_u64;
        // Others may be on the core.
        while started.elapsed() < Duration::from_millis(300)
            || own_cpu() < own_before + Duration::from_millis(100)
        {
            turns = std::hint::black_box(turns + 1);
        }
        let spent = Usage::of(pid).unwrap().since(&before);
        assert!(spent.busy > 0.8, "{spent:?} after {turns} turns");
        assert!(spent.cpu > Duration::from_millis(50), "{spent:?}");
    }

    #[test]
    fn memory_that_is_touched_is_resident() {
        let pid = std::process::id();
        let before = super::resident(pid).unwrap();
        let touched = std::hint::black_box(vec![1_u8; 64 << 20]);
        assert!(super::resident(pid).unwrap() > before + (32 << 20));
        drop(touched);
    }

    #[test]
    fn the_children_of_a_process_are_found() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let found = super::children(std::process::id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.contains(&child.id()), "{found:?}");
    }

    #[test]
    fn there_is_a_core_to_look_at() {
        if let Ok(cores) = Cores::find() {
            assert!(cores.server_core_busy().unwrap() > Duration::ZERO);
        }
    }
}
