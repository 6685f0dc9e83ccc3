//! `idle.memory`: what a connected device that does nothing costs the server in memory, compared
//! with the bare relay.
//!
//! Both servers are started anew for each run, so that nothing freed by earlier work is there to be
//! used again. Some connections are opened first: what a server needs for its first ones is not
//! counted.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use super::stage::{Server, Stage};
use super::{details, progress, round};
use crate::generator::{BareProtocol, Load, Pace, Running, StreamLoad};
use crate::machine::{Cores, resident};
use crate::options::{FigureName, Options};
use crate::report::{Figure, Run};

const NAME: &str = FigureName::IdleMemory.name();
const UNIT: &str = "KiB/connection";
/// Connections that are open before it is looked for the first time.
const FIRST: usize = 50;
/// How long nothing happens before memory is looked at.
const SETTLE: Duration = Duration::from_secs(1);

/// Measures.
pub async fn measure(options: &Options, cores: &Cores) -> Result<Vec<Figure>> {
    let counts = options.idle();
    let most = counts.last().copied().unwrap_or_default();
    let mut stage = Stage::start(NAME, cores, FIRST + most).await?;
    let (mut receive, mut connect) =
        (vec![Vec::new(); counts.len()], vec![Vec::new(); counts.len()]);
    for number in 1..=options.runs {
        let run = format!("run {number} of {}", options.runs);
        stage.restart(cores).await?;
        let (ours, bare) = (stage.plasma(), stage.bare());
        let ours = growth(ours, &counts, async |some| {
            Load::start(ours.address, stage.plasma_protocol_of(some)?, 0, Pace::Closed).await
        });
        let ours = ours.await?;
        let bare = growth(bare, &counts, async |some| {
            Load::start(bare.address, BareProtocol::of(some)?, 0, Pace::Closed).await
        });
        note(&format!("{run}, Receive"), &counts, &ours, &bare.await?, &mut receive);

        stage.restart(cores).await?;
        let (ours, bare) = (stage.plasma(), stage.bare());
        let ours = growth(ours, &counts, async |some| {
            let protocol = stage.plasma_protocol_of(some)?;
            StreamLoad::start(ours.address, protocol, 0, 1, Pace::Closed).await
        });
        let ours = ours.await?;
        let bare = growth(bare, &counts, async |some| {
            StreamLoad::start(bare.address, BareProtocol::of(some)?, 0, 1, Pace::Closed).await
        });
        note(&format!("{run}, Connect"), &counts, &ours, &bare.await?, &mut connect);
    }
    let names = |first: &str, more: &str| -> Vec<String> {
        let more = counts.iter().skip(1).map(|count| format!("{more}{count}"));
        std::iter::once(first.to_owned()).chain(more).collect()
    };
    let names = names(NAME, "idle.memory.")
        .into_iter()
        .chain(names("idle.memory.connect", "idle.memory.connect."));
    let figures = names.zip(receive.into_iter().chain(connect));
    Ok(figures.map(|(name, runs)| Figure::of(name, UNIT, runs)).collect())
}

/// Keeps and tells what one pair of runs showed, for each number of connections.
fn note(run: &str, counts: &[usize], ours: &[f64], bare: &[f64], runs: &mut [Vec<Run>]) {
    for (place, count) in counts.iter().enumerate() {
        let (value, yardstick) = (round(ours[place]), round(bare[place]));
        progress(
            NAME,
            format!(
                "{run}, {count} connections: plasma {value:.1}, bare relay {yardstick:.1} {UNIT}"
            ),
        );
        let details = details(json!({ "connections": count }));
        runs[place].push(Run { value, yardstick, details });
    }
}

/// By how much a server grows with each connection, over each number of them.
async fn growth<L: Running>(
    server: Server,
    counts: &[usize],
    open: impl AsyncFn(Range<usize>) -> Result<L>,
) -> Result<Vec<f64>> {
    let opening = async {
        let mut held = vec![open(0..FIRST).await?];
        let before = settled(server, &mut held).await?;
        let (mut opened, mut grown) = (FIRST, Vec::new());
        for count in counts {
            held.push(open(opened..FIRST + count).await?);
            opened = FIRST + count;
            let now = settled(server, &mut held).await?;
            let count = f64::from(u32::try_from(*count)?);
            grown.push((now - before) / count);
        }
        anyhow::Ok(grown)
    };
    opening.await.with_context(|| format!("idle connections to {}", server.name))
}

/// The server's memory in KiB once nothing has happened for a moment. Fails where a stream has
/// ended.
async fn settled<L: Running>(server: Server, held: &mut [L]) -> Result<f64> {
    for load in held {
        load.run(Duration::ZERO).await?;
    }
    tokio::time::sleep(SETTLE).await;
    Ok(f64::from(u32::try_from(resident(server.pid)? / 1024)?))
}
