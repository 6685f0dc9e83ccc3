//! `plasma-load`: loads the service with simulated devices, and checks while it does.
//!
//! Owns the profiles, when messages are sent, and the report. Devices are of `traffic`, users of
//! `population`, and what is wrong is found by the `ledger`. What each profile is and how to read a
//! report is in this crate's README.

pub mod arrival;
pub mod beneath;
pub mod limits;
pub mod options;
pub mod plan;
pub mod profiles;
pub mod progress;
pub mod report;
pub mod series;
pub mod server;
pub mod stage;
pub mod target;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, ensure};

use self::options::{Options, Profile};
use self::plan::Plan;
use self::progress::say;
use self::report::Outcome;
use self::stage::Stage;
use self::target::Target;
use crate::dice::Dice;
use crate::ledger::Ledger;
use crate::meters::Meters;
use crate::population::{bare_devices, sealed_devices};
use crate::traffic::{Manner, Surroundings, Transport};

/// Runs a profile.
pub async fn run(profile: Profile, options: &Options) -> Result<Outcome> {
    let plan = Plan::of(profile, options);
    let target = Target::start(options).await?;
    ensure!(
        !target.is_bare() || profile.suits_bare_relay(),
        "the bare relay stores nothing: load it with connected, relay or soak"
    );
    ensure!(!target.is_bare() || plan.sealed == 0, "the bare relay knows no sealed devices");
    ensure!(
        !target.is_bare() || options.transport == Transport::Unary,
        "the bare relay is loaded by calls alone"
    );
    limits::allow_connections(plan.devices + plan.sealed, target.nodes.len())?;

    let seed = options.seed.unwrap_or_else(Dice::random_seed);
    say(format!("seed {seed}: --seed {seed} sends the same messages at the same moments"));
    let ledger = Arc::new(Ledger::new(seed, Dice::random_seed()));
    let manner = Manner {
        transport: options.transport,
        ciphertext_length: options.size as usize,
        ..Manner::default()
    };
    let meters = Arc::new(Meters::default());
    let around = Arc::new(Surroundings::new(ledger, meters, manner, target.nodes.clone()));
    let (opaque, sealed) = if target.is_bare() {
        (bare_devices(&around, plan.devices), Vec::new())
    } else {
        let opaque = target.population(plan.devices).await?.devices(&around);
        if plan.sealed > 0 {
            say(format!("registering {} clients with their keys", plan.sealed));
        }
        let (channel, endpoints) = (target.channel()?, target.endpoints());
        let sealed =
            sealed_devices(&channel, target.operator_key(), &endpoints, &around, plan.sealed);
        (opaque, sealed.await?)
    };
    let mut stage = Stage::new(plan, &target, around, opaque, sealed)?;
    let more = profiles::play(profile, &mut stage, &target).await?;
    let outcome = stage.finish(profile, &target).await?;
    Ok(Outcome { more, ..outcome })
}

/// Where the report goes, without its extension.
pub fn output(profile: Profile, options: &Options) -> PathBuf {
    options.output.clone().unwrap_or_else(|| options.data.join(profile.name()))
}
