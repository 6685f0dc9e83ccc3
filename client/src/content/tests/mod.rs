//! Contents without a service: what devices write is handed from store to store.

mod bounds;
mod convergence;
mod rules;
mod stage;
