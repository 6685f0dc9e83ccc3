//! How this program talks to Redis: connections that find a dead server soon, come back by
//! themselves, and are left alone for a moment after a failure.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use fred::error::ErrorKind;
use fred::prelude::{Builder, Config, Error, ReconnectPolicy};

use crate::env::micros;

/// Commands that may wait for a connection, and events that a slow listener may fall behind.
pub(crate) const CAPACITY: usize = 65_536;
/// How long a Redis that failed is left alone.
const LEFT_ALONE: Duration = Duration::from_millis(500);

/// Begins a client whose commands wait for `timeout` at most, from the moment they are queued: a
/// dead link on which nothing can be written delays nobody for longer, and what was given up in the
/// queue is not written later.
pub(crate) fn builder(url: &str, timeout: Duration) -> Result<Builder, Error> {
    let mut builder = Builder::from_config(Config::from_url(url)?);
    builder
        .with_connection_config(|connection| {
            connection.connection_timeout = Duration::from_secs(2);
            connection.internal_command_timeout = Duration::from_secs(2);
            connection.max_command_attempts = 1;
            connection.max_command_buffer_len = CAPACITY;
            connection.unresponsive.max_timeout = Some(Duration::from_secs(2));
            connection.unresponsive.interval = Duration::from_millis(500);
        })
        .with_performance_config(|performance| {
            performance.default_command_timeout = timeout;
            performance.broadcast_channel_capacity = CAPACITY;
        })
        .set_policy(ReconnectPolicy::new_exponential(0, 100, 1_000, 2));
    Ok(builder)
}

/// Whether Redis is left alone after a failure, so that each call then costs nothing.
#[derive(Debug)]
pub(crate) struct Respite {
    started: Instant,
    until_micros: AtomicI64,
}

impl Default for Respite {
    fn default() -> Self {
        Self { started: Instant::now(), until_micros: AtomicI64::new(0) }
    }
}

impl Respite {
    /// Fails at once while Redis is left alone.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if micros(self.started.elapsed()) < self.until_micros.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Canceled, "left alone after a failure"));
        }
        Ok(())
    }

    /// Notes a failure.
    pub(crate) fn begin(&self) {
        let until = micros(self.started.elapsed() + LEFT_ALONE);
        self.until_micros.store(until, Ordering::Relaxed);
    }
}
