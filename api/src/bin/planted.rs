//! `plasma-planted serve`: a node with a planted bug, which the fault harness must catch. Not built
//! without the feature `planted-bugs`, and never in release mode.

use anyhow::{Result, ensure};
use plasma_api::config::Config;
use plasma_api::{node, server};
use plasma_kit::telemetry::Telemetry;

fn main() -> Result<()> {
    ensure!(std::env::args().nth(1).as_deref() == Some("serve"), "it can do nothing but serve");
    // Several crates bring a TLS provider; the process must have chosen one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let config = Config::load()?;
        let _telemetry = Telemetry::start(&config.telemetry)?;
        let node = node::Node::start(&config).await?;
        server::serve(&config, node).await
    })
}
