//! The signals that ask a program to end, and an end in order for what it has started.
//!
//! A program that such a signal ends by itself drops nothing: its servers go on, and its temporary
//! folders stay. Nothing here helps against SIGKILL, which no program sees.

use anyhow::{Result, bail};
use tokio::signal::unix::{Signal as Incoming, SignalKind, signal};

use crate::process::{Signal, keep_apart_from_terminal};

/// SIGINT (Ctrl-C), SIGTERM and SIGHUP, as they come in.
#[derive(Debug)]
pub struct Signals {
    interrupt: Incoming,
    terminate: Incoming,
    hangup: Incoming,
}

impl Signals {
    /// Takes them from now on: none of them ends the program by itself any more.
    pub fn listen() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.hangup.recv() => Signal::HUP,
        }
    }
}

/// Does the work of a program until it is done, or until SIGINT, SIGTERM or SIGHUP comes: that drops
/// the work, and with it, in order, all that it has started, and fails with the signal's name. What
/// is started is kept out of reach of the terminal's Ctrl-C, so that it does not end on its own.
pub async fn unless_interrupted<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut signals = Signals::listen()?;
    keep_apart_from_terminal();
    let came = tokio::select! {
        biased;
        came = signals.next() => came,
        outcome = work => return outcome,
    };
    match came {
        Signal::INT => bail!("interrupted by SIGINT"),
        Signal::HUP => bail!("interrupted by SIGHUP"),
        _ => bail!("interrupted by SIGTERM"),
    }
}
