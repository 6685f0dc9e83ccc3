//! Devices against real `plasma serve` processes, on the embedded and on the scaled way to run.

mod conversation;
mod hostile;
mod proxy;
mod world;
