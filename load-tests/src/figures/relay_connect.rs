//! `relay.connect`: what a message costs the server when a device's sends, deliveries and
//! acknowledgements share one stream, compared with the same stream of the bare relay.

use anyhow::Result;

use super::relay_unary::{UNIT, pairs_of_runs};
use super::stage::Stage;
use crate::generator::{Pace, StreamLoad};
use crate::machine::Cores;
use crate::options::{FigureName, Options};
use crate::report::Figure;

/// Names of the figures, how many messages are acknowledged together, and how many times as many
/// are in flight as otherwise: those of a burst wait for each other.
const FIGURES: [(&str, u16, u16); 2] =
    [(FigureName::RelayConnect.name(), 1, 1), ("relay.connect.ack16", 16, 4)];

/// Measures; what is measured stays, whatever becomes of the rest.
pub async fn measure(options: &Options, cores: &Cores, figures: &mut Vec<Figure>) -> Result<()> {
    let stage = Stage::start(FIGURES[0].0, cores, options.connections()).await?;
    let (ours, bare) = (stage.plasma().address, stage.bare().address);
    for (name, burst, times) in FIGURES {
        let in_flight = options.in_flight.saturating_mul(times).max(burst);
        let runs = pairs_of_runs(
            name,
            options,
            in_flight,
            &stage,
            async || {
                let protocol = stage.plasma_protocol()?;
                StreamLoad::start(ours, protocol, in_flight, burst, Pace::Closed).await
            },
            async || {
                let protocol = stage.bare_protocol()?;
                StreamLoad::start(bare, protocol, in_flight, burst, Pace::Closed).await
            },
        );
        figures.push(Figure::of(name, UNIT, runs.await?));
    }
    Ok(())
}
