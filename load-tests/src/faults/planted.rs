//! The bugs that can be planted in a node, and the program that has them.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::probe::Probe;

/// Names the bug to a node of [`program`].
pub const VARIABLE: &str = "PLASMA_TEST_PLANTED_BUG";

/// A bug, and the probe that must catch it.
#[derive(Debug, Clone, Copy)]
pub struct Bug {
    /// Its name in [`VARIABLE`].
    pub name: &'static str,
    /// Who catches it.
    pub caught_by: Probe,
}

/// Every bug.
pub const BUGS: [Bug; 6] = [
    Bug { name: "publish-before-commit", caught_by: Probe::Hints },
    Bug { name: "drop-hint", caught_by: Probe::Hints },
    Bug { name: "deliver-by-cursor", caught_by: Probe::Overlap },
    Bug { name: "skip-sweep", caught_by: Probe::BusDown },
    Bug { name: "ok-before-stored", caught_by: Probe::StoreDown },
    Bug { name: "forget-drain", caught_by: Probe::Drain },
];

/// The node with planted bugs, beside the running program or, for a test, in the folder above.
pub fn program() -> Result<PathBuf> {
    let here = std::env::current_exe().context("the path of this program")?;
    let places = here.ancestors().skip(1).take(2).map(|folder| folder.join("plasma-planted"));
    places.into_iter().find(|program| program.is_file()).context(
        "`plasma-planted` is not built; `make faults-control` builds it, or \
         `cargo build --workspace --bin plasma-planted --features plasma-api/planted-bugs`",
    )
}
