//! `latency.half`: how long a message takes while the server has half of what it could carry,
//! compared with the bare relay at half of what that could carry.
//!
//! Open loop: messages are due at a fixed rate whatever the server does, and each latency counts
//! from the moment at which the message was due to the moment at which its receiver read it.

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::stage::{Server, Stage};
use super::window::{Sample, Windows};
use super::{details, progress, round};
use crate::generator::{Load, Pace, Quantiles, Running, StreamLoad};
use crate::machine::Cores;
use crate::options::{FigureName, Options};
use crate::report::{Figure, Run};

const NAME: &str = FigureName::LatencyHalf.name();
/// Room for messages in flight in the open loop: a message that finds none waits, and its wait
/// counts.
const ROOM: u16 = 2_048;

type Quantile = fn(&Quantiles) -> f64;

/// What is reported for each form of calls: half of the messages were faster, 99 %, 99.9 %.
const UNARY: [(&str, &str, Quantile); 3] = [
    (NAME, "µs, p50", |it| it.p50),
    ("latency.half.p99", "µs, p99", |it| it.p99),
    ("latency.half.p999", "µs, p99.9", |it| it.p999),
];
const CONNECT: [(&str, &str, Quantile); 3] = [
    ("latency.half.connect", "µs, p50", |it| it.p50),
    ("latency.half.connect.p99", "µs, p99", |it| it.p99),
    ("latency.half.connect.p999", "µs, p99.9", |it| it.p999),
];

/// What was measured on one server.
#[derive(Debug, Clone, Copy)]
struct Half {
    saturated: Sample,
    half: Sample,
}

/// Measures; what is measured stays, whatever becomes of the rest.
pub async fn measure(options: &Options, cores: &Cores, figures: &mut Vec<Figure>) -> Result<()> {
    let stage = Stage::start(NAME, cores, options.connections()).await?;
    let (ours, bare) = (stage.plasma().address, stage.bare().address);
    let unary = pairs_of_runs(
        options,
        &stage,
        "unary",
        async |places, pace| Load::start(ours, stage.plasma_protocol()?, places, pace).await,
        async |places, pace| Load::start(bare, stage.bare_protocol()?, places, pace).await,
    );
    figures.extend(of(options, &unary.await?, UNARY));
    let connect = pairs_of_runs(
        options,
        &stage,
        "Connect",
        async |places, pace| {
            StreamLoad::start(ours, stage.plasma_protocol()?, places, 1, pace).await
        },
        async |places, pace| StreamLoad::start(bare, stage.bare_protocol()?, places, 1, pace).await,
    );
    figures.extend(of(options, &connect.await?, CONNECT));
    Ok(())
}

async fn pairs_of_runs<O: Running, B: Running>(
    options: &Options,
    stage: &Stage,
    calls: &str,
    load_plasma: impl AsyncFn(u16, Pace) -> Result<O>,
    load_bare: impl AsyncFn(u16, Pace) -> Result<B>,
) -> Result<Vec<[Half; 2]>> {
    let mut runs = Vec::new();
    // Saturation is a means here; half of the usual window is enough to know it.
    let mut windows =
        [Windows::new(NAME, options).of_length(options.window() / 2), Windows::new(NAME, options)];
    for number in 1..=options.runs {
        let run = format!("run {number} of {}, {calls}", options.runs);
        let ours = half(&mut windows, options, &run, stage.plasma(), &load_plasma).await?;
        let bare = half(&mut windows, options, &run, stage.bare(), &load_bare).await?;
        runs.push([ours, bare]);
    }
    Ok(runs)
}

/// Finds out what a server can carry, then measures it with half of that.
async fn half<L: Running>(
    windows: &mut [Windows<'_>; 2],
    options: &Options,
    run: &str,
    server: Server,
    load: &impl AsyncFn(u16, Pace) -> Result<L>,
) -> Result<Half> {
    let saturate = async || load(options.in_flight, Pace::Closed).await;
    let saturated = windows[0].saturated(server, saturate).await?;
    let per_second = saturated.messages_per_second / 2.0;
    let relax = async || load(ROOM, Pace::Open { per_second }).await;
    let half = windows[1].relaying(server, relax).await?;
    let Quantiles { p50, p99, p999, max, .. } = half.latencies;
    let what = format!(
        "{run}, {}: at {per_second:.0} messages/s p50 {p50:.0} µs, p99 {p99:.0} µs, p99.9 {p999:.0} \
         µs, slowest {max:.0} µs; {:.1} µs/message, {:.1} at saturation",
        server.name, half.micros_per_message, saturated.micros_per_message,
    );
    progress(NAME, what);
    Ok(Half { saturated, half })
}

fn of(
    options: &Options,
    runs: &[[Half; 2]],
    figures: [(&'static str, &'static str, Quantile); 3],
) -> Vec<Figure> {
    let figure = |(name, unit, quantile): (_, _, Quantile)| {
        let runs = runs.iter().map(|[ours, bare]| Run {
            value: quantile(&ours.half.latencies),
            yardstick: quantile(&bare.half.latencies),
            details: both(options, ours, bare),
        });
        Figure::of(name, unit, runs.collect())
    };
    figures.into_iter().map(figure).collect()
}

fn both(options: &Options, ours: &Half, bare: &Half) -> Map<String, Value> {
    let slowest = |it: &Half| it.half.latencies.max;
    details(json!({
        "connections": options.connections(),
        "saturation_messages_per_second": ours.saturated.messages_per_second.round(),
        "yardstick_saturation_messages_per_second": bare.saturated.messages_per_second.round(),
        "messages_per_second": ours.half.messages_per_second.round(),
        "yardstick_messages_per_second": bare.half.messages_per_second.round(),
        "server_micros_per_message": round(ours.half.micros_per_message),
        "yardstick_server_micros_per_message": round(bare.half.micros_per_message),
        "server_busy": round(ours.half.busy),
        "yardstick_server_busy": round(bare.half.busy),
        "stored_messages": ours.half.tally.stored,
        "slowest_micros": slowest(ours),
        "yardstick_slowest_micros": slowest(bare),
    }))
}
