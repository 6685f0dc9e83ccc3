//! `ratchet.turn`: two devices answer each other, so that every message turns the ratchet,
//! compared with the P-256 operations without which no turn is possible.

use anyhow::Result;

use super::conversation::Conversation;
use super::{Contest, bare, olm};
use crate::options::{FigureName, Options};
use crate::report::Figure;

pub(super) fn measure(options: &Options) -> Result<Figure> {
    let mut conversation = Conversation::begin()?;
    let mut theirs = olm::Conversation::begin()?;
    Contest {
        name: FigureName::RatchetTurn,
        unit: "µs/turn",
        times: if options.quick { 200 } else { 2_000 },
        ours: Box::new(move || conversation.turn()),
        bare_is: "two agreements and a key",
        bare: Box::new(|| {
            bare::turn();
            Ok(())
        }),
        vodozemac: Some(Box::new(move || theirs.turn())),
    }
    .hold(options)
}
