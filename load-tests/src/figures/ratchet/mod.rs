//! The end-to-end protocol on one core, without network or store: `handshake`, `ratchet.turn`,
//! `ratchet.chain` and `fanout.10`, each against the bare primitives without which it cannot be
//! done, and beside the same act of vodozemac where it has one.

mod bare;
mod chain;
mod conversation;
mod fanout;
mod handshake;
mod olm;
mod turn;

use anyhow::Result;
use serde_json::{Map, Value};

use super::progress;
use crate::machine::own_cpu;
use crate::options::{FigureName, Options};
use crate::report::{Figure, Run};

/// Parts of a run, all sides in turn, so that they have the same weather.
const BLOCKS: u32 = 20;
/// With its padding a message of 1 KiB.
const CONTENT_LENGTH: usize = 1_000;

/// One thing done over and over.
type Act<'a> = Box<dyn FnMut() -> Result<()> + 'a>;

/// What is compared.
struct Contest<'a> {
    name: FigureName,
    unit: &'static str,
    /// How often each side acts in a run.
    times: u32,
    ours: Act<'a>,
    /// What `bare` does, for people.
    bare_is: &'static str,
    bare: Act<'a>,
    /// The same act of vodozemac: on Curve25519, without a post-quantum half.
    vodozemac: Option<Act<'a>>,
}

/// Measures one of the figures.
pub fn measure(name: FigureName, options: &Options) -> Result<Figure> {
    match name {
        FigureName::Handshake => handshake::measure(options),
        FigureName::RatchetTurn => turn::measure(options),
        FigureName::RatchetChain => chain::measure(options),
        _ => fanout::measure(options),
    }
}

impl Contest<'_> {
    fn hold(mut self, options: &Options) -> Result<Figure> {
        let name = self.name.name();
        progress(name, format!("each side acts {} times in each run", self.times));
        let mut runs = Vec::new();
        for number in 1..=options.runs {
            let (mut ours, mut bare, mut vodozemac) = (0.0, 0.0, 0.0);
            let times = (self.times / BLOCKS).max(1);
            for _ in 0..BLOCKS {
                ours += micros_each(times, &mut self.ours)?;
                bare += micros_each(times, &mut self.bare)?;
                if let Some(act) = &mut self.vodozemac {
                    vodozemac += micros_each(times, act)?;
                }
            }
            let mean = |sum: f64| sum / f64::from(BLOCKS);
            let mut details = Map::new();
            let mut beside = String::new();
            if self.vodozemac.is_some() {
                details.insert("vodozemac".to_owned(), Value::from(mean(vodozemac)));
                beside = format!("; vodozemac: {:.1} µs", mean(vodozemac));
            }
            let said = format!(
                "run {number} of {}: {:.1} {}; {}: {:.1} µs{beside}",
                options.runs,
                mean(ours),
                self.unit,
                self.bare_is,
                mean(bare),
            );
            progress(name, said);
            runs.push(Run { value: mean(ours), yardstick: mean(bare), details });
        }
        Ok(Figure::of(name, self.unit, runs))
    }
}

fn micros_each(times: u32, act: &mut Act<'_>) -> Result<f64> {
    let before = own_cpu();
    for _ in 0..times {
        act()?;
    }
    Ok(own_cpu().saturating_sub(before).as_secs_f64() * 1e6 / f64::from(times))
}
