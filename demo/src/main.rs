//! Plays the product's main job on real server processes, and checks every promise on the way.
//!
//! `plasma demo` becomes this program. It starts the service as an operator would, onboards two
//! platforms as partners would, and lets people chat as devices do: everything goes through gRPC.
//! What the service stored is counted from outside it. Owns the story and its checks; owns no
//! business rule, and knows the service only by its contract.

mod chapter;
mod check;
mod figure;
mod person;
mod transcript;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use plasma_testkit::{ClusterKind, unless_interrupted};

use transcript::Transcript;

/// Plays a paid, encrypted chat between users of partner platforms on a real server.
#[derive(Debug, Parser)]
#[command(name = "plasma demo", version)]
struct Arguments {
    /// What the service stores in.
    #[arg(long, value_enum, default_value_t = Store::Embedded)]
    store: Store,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Store {
    /// One process, `SQLite` and the in-process bus.
    Embedded,
    /// Private PostgreSQL and Redis servers, two processes.
    Postgres,
}

impl Store {
    fn kind(self) -> ClusterKind {
        match self {
            Self::Embedded => ClusterKind::Embedded,
            Self::Postgres => ClusterKind::Scaled,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut transcript = Transcript::new();
    let story = Box::pin(chapter::play(&mut transcript, arguments.store.kind()));
    let story = unless_interrupted(story).await;
    if let Err(error) = story {
        transcript.broken(&error);
    }
    if transcript.finish() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
