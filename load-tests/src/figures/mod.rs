//! The figures, each measured in pairs of runs: ours, the yardstick, ours, the yardstick, …

pub mod purchase_hot;
pub mod ratchet;
pub mod relay_unary;

/// Says on the terminal what is going on.
pub fn progress(figure: &str, what: impl std::fmt::Display) {
    eprintln!("{figure:<14} {what}");
}
