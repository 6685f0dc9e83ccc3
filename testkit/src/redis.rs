//! A private Redis server: loopback, no persistence, gone when dropped; can be killed, restarted
//! and frozen.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::process::{self, Process, Signal};
use crate::resp;

const START_TIMEOUT: Duration = Duration::from_secs(10);
const CALL_TIMEOUT: Duration = Duration::from_secs(1);

/// A private server, running unless it was killed.
#[derive(Debug)]
pub struct PrivateRedis {
    process: Process,
    program: PathBuf,
    port: u16,
    folder: TempDir,
}

impl PrivateRedis {
    /// Starts a server on a free port.
    pub fn start() -> Result<Self> {
        let program = process::find_program("redis-server", &["/usr/bin".into()]).context(
            "no redis-server was found in PATH; install it: `apt-get install redis-server` on \
             Debian, `brew install redis` on macOS, or run scripts/setup",
        )?;
        let folder = tempfile::Builder::new().prefix("plasma-redis-").tempdir()?;
        let (port, process) = process::retry_port(|port| {
            let process = serve(&program, &folder, port)?;
            Ok((port, process))
        })?;
        Ok(Self { process, program, port, folder })
    }

    /// The server's address.
    pub fn url(&self) -> String {
        format!("redis://{}", address(self.port))
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Kills the server with SIGKILL; connections break, new ones are refused.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()?;
        Ok(())
    }

    /// Starts the server again, empty, on the same port; kills it first where it runs.
    pub fn restart(&mut self) -> Result<()> {
        self.kill()?;
        self.process = serve(&self.program, &self.folder, self.port)?;
        Ok(())
    }

    /// Stops the process in its tracks (SIGSTOP): connections stay open and nothing answers.
    pub fn freeze(&mut self) -> Result<()> {
        self.process.signal(Signal::STOP)
    }

    /// Lets a frozen process go on (SIGCONT).
    pub fn thaw(&mut self) -> Result<()> {
        self.process.signal(Signal::CONT)
    }
}

fn serve(program: &PathBuf, folder: &TempDir, port: u16) -> Result<Process> {
    let mut command = Command::new(program);
    command
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"])
        .args(["--port", &port.to_string(), "--loglevel", "warning", "--dir"])
        .arg(folder.path());
    let mut process = Process::spawn(&mut command, &folder.path().join("redis.log"))?;
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        match resp::call(address(port), &["PING"], CALL_TIMEOUT) {
            Ok(answer) => {
                ensure!(answer == "PONG", "Redis answered {answer:?} to PING");
                // Another server on this port would have answered as well.
                process.check_running()?;
                return Ok(process);
            }
            Err(error) => {
                process.check_running()?;
                if Instant::now() >= deadline {
                    bail!("Redis did not answer in time: {error:#}\n{}", process.log_tail());
                }
                std::thread::sleep(process::LOOK);
            }
        }
    }
}

fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
