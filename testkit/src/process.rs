//! Processes that the harness starts: a log file each, signals by id, an end that is certain.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::TcpListener;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, kill_process};

pub use rustix::process::Signal;

/// How often an ending or starting process is looked at.
pub(crate) const LOOK: Duration = Duration::from_millis(10);

/// Bytes of a log that an error message shows.
const TAIL_BYTES: u64 = 4_000;

/// Whether what is started is out of reach of a terminal's Ctrl-C.
static APART: AtomicBool = AtomicBool::new(false);

/// Gives every process that is started from now on a process group of its own. A terminal sends
/// the SIGINT of Ctrl-C to the whole group in its foreground; what this program stands on then
/// outlives it until this program ends it, in the right order.
pub fn keep_apart_from_terminal() {
    APART.store(true, Ordering::Relaxed);
}

/// A child process whose output goes to a file. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
    name: String,
}

impl Process {
    /// Starts a command, both outputs appended to `log`.
    pub fn spawn(command: &mut Command, log: &Path) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("open {}", log.display()))?;
        if APART.load(Ordering::Relaxed) {
            command.process_group(0);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("start {name}"))?;
        Ok(Self { child, log: log.to_owned(), name })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its output goes.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// The last of its output.
    pub fn log_tail(&self) -> String {
        tail(&self.log).unwrap_or_default()
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("look at {}", self.name))
    }

    /// Fails, with the end of the log, where the process has ended.
    pub fn check_running(&mut self) -> Result<()> {
        if let Some(status) = self.ended()? {
            bail!("{} ended with {}:\n{}", self.name, describe(status), self.log_tail());
        }
        Ok(())
    }

    /// Sends a signal. A process that has been waited for gets none: its id may be another's.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.ended()?.is_some() {
            bail!("{} has ended already", self.name);
        }
        send(self.pid(), signal)
    }

    /// Waits for the end, until the deadline.
    pub fn wait(&mut self, at_most: Duration) -> Result<Option<ExitStatus>> {
        let deadline = Instant::now() + at_most;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(Some(status));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Asks with `signal`, then kills where the deadline passes. Returns how the process ended.
    pub fn stop(&mut self, signal: Signal, at_most: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        send(self.pid(), signal)?;
        match self.wait(at_most)? {
            Some(status) => Ok(status),
            None => self.kill(),
        }
    }

    /// Kills with SIGKILL and waits.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        // Only a process that has ended cannot be killed, and that is what is wanted.
        let _ = self.child.kill();
        self.child.wait().with_context(|| format!("wait for {}", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A drop has nobody to tell; the process has ended or was killed.
        let _ = self.kill();
    }
}

/// Sends a signal to a process of ours.
pub fn send(pid: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("a process id")?;
    kill_process(pid, signal).with_context(|| format!("send {signal:?} to {pid}"))
}

/// How a process ended, for a person.
pub fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no exit code".to_owned(),
    }
}

/// Finds a loopback port that is free, below the range from which the system takes the local
/// ports of outgoing connections. Another process may still be quicker: whoever listens on it
/// tries again with another one.
pub fn free_port() -> Result<u16> {
    for _ in 0..1_000 {
        let port = 12_000 + u16::from_be_bytes(crate::secret::bytes()) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port was found on 127.0.0.1")
}

/// Finds a program in the folders of `PATH`, then in `more`.
pub fn find_program(name: &str, more: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(more.iter().cloned())
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// Tries a start again with another port where the one found was taken meanwhile.
pub(crate) fn retry_port<T>(mut start: impl FnMut(u16) -> Result<T>) -> Result<T> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match start(free_port()?) {
            Err(error) if attempt < 5 && port_was_taken(&error) => {}
            other => return other,
        }
    }
}

/// Whether an error says that a port is in use.
pub(crate) fn port_was_taken(error: &anyhow::Error) -> bool {
    let text = format!("{error:#}").to_lowercase();
    text.contains("address already in use") || text.contains("address in use")
}

fn tail(log: &Path) -> Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::{Process, Signal, free_port};

    #[test]
    fn a_process_that_ended_is_reported_with_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo what went wrong >&2; exit 3"]);
        let mut process = Process::spawn(&mut command, &folder.path().join("log")).unwrap();
        process.wait(Duration::from_secs(5)).unwrap().unwrap();
        let error = process.check_running().unwrap_err().to_string();
        assert!(error.contains("exit code 3") && error.contains("what went wrong"), "{error}");
        assert!(process.signal(Signal::TERM).is_err());
    }

    #[test]
    fn a_process_that_ignores_the_request_is_killed_at_the_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' TERM; while :; do sleep 0.05; done"]);
        let mut process = Process::spawn(&mut command, &folder.path().join("log")).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        let status = process.stop(Signal::TERM, Duration::from_millis(300)).unwrap();
        assert_eq!(super::describe(status), "signal 9");
    }

    #[test]
    fn a_free_port_can_be_listened_on() {
        let port = free_port().unwrap();
        assert!(std::net::TcpListener::bind(("127.0.0.1", port)).is_ok());
    }
}
