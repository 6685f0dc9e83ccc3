//! Two devices that have lost each other, honest ones and others, without a service.

mod asking;
mod circles;
mod forwarding;
mod healing;
mod property;
mod shelf;
mod town;
