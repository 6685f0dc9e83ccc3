//! How much of everything a number of users needs: unit costs, a model of a day, arithmetic.

mod cost;
mod costs;

pub use cost::Cost;
pub use costs::{Costs, Doings, Idle, Unit, Units};
