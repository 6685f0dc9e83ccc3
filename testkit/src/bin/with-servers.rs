//! Runs a command with private PostgreSQL and Redis servers, which end when the command has:
//! `with-servers cargo nextest run --workspace`. The command finds them in `PLASMA_TEST_POSTGRES`
//! and `PLASMA_TEST_REDIS`; its exit code is the exit code of this program.
//!
//! SIGINT, SIGTERM and SIGHUP are handed on to the command; the servers end after it. A second
//! one kills it. The SIGINT of a terminal is not handed on, for it reaches the command by itself.

use std::io::IsTerminal;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use plasma_testkit::process::{Signal, send};
use plasma_testkit::servers::{POSTGRES_VARIABLE, REDIS_VARIABLE};
use plasma_testkit::{PrivatePostgres, PrivateRedis, Signals};
use tokio::process::{Child, Command};

/// What a shell answers for a command that a signal ended.
const ENDED_BY_SIGNAL: u8 = 128;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    let Some(program) = words.next() else {
        bail!("name a command: with-servers <command> [argument …]");
    };
    // From here on a signal ends this program in order, so that no server is left behind.
    let mut signals = Signals::listen()?;
    let begun = Instant::now();
    let postgres = PrivatePostgres::start()?;
    let redis = PrivateRedis::start()?;
    eprintln!("with-servers: PostgreSQL and Redis are up after {:.1?}", begun.elapsed());

    let mut command = Command::new(&program);
    command
        .args(words)
        .env(POSTGRES_VARIABLE, postgres.server_url())
        .env(REDIS_VARIABLE, redis.url())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let mut child = command.spawn().with_context(|| format!("start {}", program.display()))?;
    let status = run(&mut child, &mut signals).await?;
    drop(redis);
    postgres.stop()?;
    Ok(exit_code(status))
}

/// Waits for the command, handing signals on to it.
async fn run(child: &mut Child, signals: &mut Signals) -> Result<ExitStatus> {
    let mut asked = false;
    loop {
        let signal = tokio::select! {
            status = child.wait() => return Ok(status?),
            signal = signals.next() => if asked { Signal::KILL } else { signal },
        };
        asked = true;
        let of_terminal = signal == Signal::INT && std::io::stderr().is_terminal();
        if let Some(pid) = child.id().filter(|_| !of_terminal) {
            send(pid, signal)?;
        }
    }
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::from(ENDED_BY_SIGNAL), ExitCode::from)
}
