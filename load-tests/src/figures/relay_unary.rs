//! `relay.unary`: what a message that is acknowledged online costs the server, compared with a
//! relay that does nothing but relay.

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::stage::Stage;
use super::window::{Sample, Windows};
use super::{details, round};
use crate::generator::{Load, Pace, Running};
use crate::machine::Cores;
use crate::options::{FigureName, Options};
use crate::report::{Figure, Run};

const NAME: &str = FigureName::RelayUnary.name();
/// What the figures of relaying are in.
pub(super) const UNIT: &str = "server CPU µs/message";

/// Measures.
pub async fn measure(options: &Options, cores: &Cores) -> Result<Figure> {
    let stage = Stage::start(NAME, cores, options.connections()).await?;
    let (ours, bare) = (stage.plasma().address, stage.bare().address);
    let runs = pairs_of_runs(
        NAME,
        options,
        options.in_flight,
        &stage,
        async || Load::start(ours, stage.plasma_protocol()?, options.in_flight, Pace::Closed).await,
        async || Load::start(bare, stage.bare_protocol()?, options.in_flight, Pace::Closed).await,
    );
    Ok(Figure::of(NAME, UNIT, runs.await?))
}

/// Saturates the service and the bare relay in turn.
pub(super) async fn pairs_of_runs<O: Running, B: Running>(
    name: &'static str,
    options: &Options,
    in_flight: u16,
    stage: &Stage,
    load_plasma: impl AsyncFn() -> Result<O>,
    load_bare: impl AsyncFn() -> Result<B>,
) -> Result<Vec<Run>> {
    let mut windows = Windows::new(name, options);
    let mut runs = Vec::new();
    for number in 1..=options.runs {
        let ours = windows.saturated(stage.plasma(), &load_plasma).await?;
        ours.say(name, number, options.runs, stage.plasma());
        let bare = windows.saturated(stage.bare(), &load_bare).await?;
        bare.say(name, number, options.runs, stage.bare());
        let (value, yardstick) = (ours.micros_per_message, bare.micros_per_message);
        runs.push(Run { value, yardstick, details: both(options, in_flight, &ours, &bare) });
    }
    Ok(runs)
}

fn both(options: &Options, in_flight: u16, ours: &Sample, bare: &Sample) -> Map<String, Value> {
    details(json!({
        "connections": options.connections(),
        "in_flight": in_flight,
        "messages_per_second": ours.messages_per_second.round(),
        "yardstick_messages_per_second": bare.messages_per_second.round(),
        "server_busy": round(ours.busy),
        "yardstick_server_busy": round(bare.busy),
        "server_share_of_core": round(ours.share),
        "yardstick_server_share_of_core": round(bare.share),
        "stored_messages": ours.tally.stored,
        "overtaken": ours.tally.overtaken,
        "yardstick_overtaken": bare.tally.overtaken,
        "generator_share_of_core": round(ours.generator_share),
        "yardstick_generator_share_of_core": round(bare.generator_share),
    }))
}
