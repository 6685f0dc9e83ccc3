//! One measured window of a load, repeated where it shows something else than it should.

use std::process;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::progress;
use super::stage::Server;
use crate::generator::{Quantiles, Running, Tally};
use crate::machine::Usage;
use crate::options::Options;

/// Below this the server waited for work, and batches differ from those at saturation.
const BUSY_MIN: f64 = 0.95;
/// One in so many messages may be stored at saturation: what that costs does not show.
const STORED_AT_SATURATION: u64 = 1_000;
/// One in so many may be in a window that asks for latencies: a missed acknowledgement, and the
/// device is stored-to for seconds. What is stored is late, and counts.
const STORED_AT_HALF: u64 = 100;
/// Windows that may be void before the figure is given up.
const VOID_MAX: u32 = 8;

/// One measured window.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// CPU that the server used for each message.
    pub micros_per_message: f64,
    /// Messages that were done.
    pub messages_per_second: f64,
    /// The part of the window in which the server ran or waited for its core.
    pub busy: f64,
    /// The part of the window in which the server ran.
    pub share: f64,
    /// The part of its core that the generator used.
    pub generator_share: f64,
    /// How long the messages took.
    pub latencies: Quantiles,
    /// What became of every message, from the load's beginning to its end.
    pub tally: Tally,
}

impl Sample {
    /// Tells on the terminal what was measured.
    pub fn say(&self, figure: &str, number: u32, runs: u32, server: Server) {
        let Self { micros_per_message, messages_per_second, busy, share, generator_share, .. } =
            self;
        let what = format!(
            "run {number} of {runs}, {}: {micros_per_message:.1} µs/message, \
             {messages_per_second:.0} messages/s, server busy {:.0} % (ran {:.0} %, generator {:.0} %)",
            server.name,
            busy * 100.0,
            share * 100.0,
            generator_share * 100.0
        );
        progress(figure, what);
    }
}

/// Measures the windows of a figure.
#[derive(Debug)]
pub struct Windows<'a> {
    figure: &'static str,
    options: &'a Options,
    length: Duration,
    voids: u32,
}

impl<'a> Windows<'a> {
    /// Takes the length that the options say.
    pub fn new(figure: &'static str, options: &'a Options) -> Self {
        Self { figure, options, length: options.window(), voids: 0 }
    }

    /// Takes another length.
    pub fn of_length(self, length: Duration) -> Self {
        Self { length, ..self }
    }

    /// Loads a server until a window shows it busy and relaying.
    pub async fn saturated<L: Running>(
        &mut self,
        server: Server,
        start: impl AsyncFn() -> Result<L>,
    ) -> Result<Sample> {
        loop {
            let sample = self.sample(server, &start).await?;
            if let Some(why) = too_many_stored(sample.tally, STORED_AT_SATURATION) {
                self.void(&why)?;
            } else if sample.busy < BUSY_MIN {
                let busy = sample.busy * 100.0;
                self.void(&format!("the server was busy for {busy:.0} % of the window only"))?;
            } else {
                return Ok(sample);
            }
        }
    }

    /// Loads a server until a window shows it relaying nearly everything.
    pub async fn relaying<L: Running>(
        &mut self,
        server: Server,
        start: impl AsyncFn() -> Result<L>,
    ) -> Result<Sample> {
        loop {
            let sample = self.sample(server, &start).await?;
            match too_many_stored(sample.tally, STORED_AT_HALF) {
                Some(why) => self.void(&why)?,
                None => return Ok(sample),
            }
        }
    }

    fn void(&mut self, why: &str) -> Result<()> {
        self.voids += 1;
        if self.voids > VOID_MAX {
            bail!("{} windows were void, the last one because {why}", self.voids);
        }
        progress(self.figure, format!("void, and repeated: {why}"));
        Ok(())
    }

    /// Loads a server, and measures once it is warm. Every message is accounted for.
    async fn sample<L: Running>(
        &self,
        server: Server,
        start: &impl AsyncFn() -> Result<L>,
    ) -> Result<Sample> {
        let loading = async {
            let mut load = start().await?;
            load.run(self.options.warm_up()).await?;
            let usages = || anyhow::Ok((Usage::of(server.pid)?, Usage::of(process::id())?));
            load.begin_window();
            let (done_before, before) = (load.tally().done, usages()?);
            load.run(self.length).await?;
            let (done_after, after) = (load.tally().done, usages()?);
            let latencies = load.latencies();
            let tally = load.finish().await?;

            let (spent, own) = (after.0.since(&before.0), after.1.since(&before.1));
            let messages = count(done_after - done_before)?;
            anyhow::Ok(Sample {
                micros_per_message: spent.cpu.as_secs_f64() * 1e6 / messages,
                messages_per_second: messages / spent.wall.as_secs_f64(),
                busy: spent.busy,
                share: spent.share,
                generator_share: own.share,
                latencies,
                tally,
            })
        };
        loading.await.with_context(|| format!("the load on {}", server.name))
    }
}

/// Says so where more than one in so many messages were stored instead of relayed.
fn too_many_stored(tally: Tally, one_in: u64) -> Option<String> {
    let Tally { stored, done, .. } = tally;
    let say = || format!("{stored} of {done} messages were stored, not relayed");
    (stored * one_in > done).then(say)
}

fn count(messages: u64) -> Result<f64> {
    ensure!(messages > 0, "no message was done in the window");
    Ok(u32::try_from(messages).context("too many messages to count")?.into())
}
