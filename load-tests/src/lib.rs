//! The speed of the service, each figure against a yardstick of the same run.
//!
//! Owns the program `plasma-bench`: the figures, the yardsticks (a bare tonic relay, `pgbench`,
//! bare P-256), a load generator that is leaner than a gRPC client, and the report. What a figure
//! says, how it is measured and how to read it is in this folder's README. It does **not** own
//! correctness tests, which are with the code that they test, nor how servers are started
//! (`plasma-testkit`).
//!
//! Everything runs on loopback, servers as processes of their own, and every process that is
//! started here is ended by its id.

#[cfg(plasma_toy_primitives)]
compile_error!("toy primitives protect nothing: they are for tests of the protocol alone");

pub mod clock;
pub mod dice;
pub mod enrollment;
pub mod faults;
pub mod figures;
pub mod generator;
pub mod ledger;
pub mod load;
pub mod machine;
pub mod meters;
pub mod options;
pub mod population;
pub mod relay;
pub mod report;
pub mod size;
pub mod traffic;
