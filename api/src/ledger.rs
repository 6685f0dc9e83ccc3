//! `plasma ledger`: verifies the books in the database of the configuration, and shows the keys
//! that sign their checkpoints.

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use plasma_billing::history::verify::{Finding, Verified, verify};
use plasma_kit::Env;
use plasma_kit::ids::{Id, TenantId};

use crate::config::Config;
use crate::{keys, migrate, node};

/// What to do with the ledger.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Recompute the books from their postings, and name what does not fit. Needs the database and
    /// the master keys of the configuration, changes nothing, and may run beside the service.
    Verify(Verify),
    /// Show the public keys that checkpoints are signed with, newest first.
    Keys,
}

/// Recompute the books.
#[derive(Debug, Args)]
struct Verify {
    /// The platform, tenant_…; all of them where it is not given.
    #[arg(long)]
    tenant: Option<String>,
}

/// Runs one command.
pub async fn run(arguments: Arguments) -> Result<()> {
    let (config, env) = (Config::load()?, Env::system());
    match arguments.command {
        Command::Verify(command) => command.run(&config, &env).await,
        Command::Keys => {
            for key in plasma_billing::history::public_keys(&existing_secrets(&config, &env)?) {
                println!("{}  {}", key.id(), hexadecimal(&key.to_bytes()));
            }
            Ok(())
        }
    }
}

/// The master keys, of which a check must make none: with another key nothing would fit.
fn existing_secrets(config: &Config, env: &Env) -> Result<plasma_kit::secrets::Secrets> {
    let file = config.data_dir.join("master.key");
    ensure!(
        !config.master_keys.is_empty() || file.exists(),
        "there is no master key: set master_keys, or run where {} is",
        file.display()
    );
    keys::secrets(config, env)
}

impl Verify {
    async fn run(self, config: &Config, env: &Env) -> Result<()> {
        let tenant = match &self.tenant {
            Some(text) => {
                Some(TenantId::parse(text).with_context(|| format!("{text} is no tenant's id"))?)
            }
            None => None,
        };
        let secrets = existing_secrets(config, env)?;
        let db = node::connect(config).await?;
        let pending = migrate::pending(&db).await?;
        ensure!(pending.is_empty(), "the schema lacks {}", pending.join(", "));
        env.follow(db.system().now().await?);
        let mut tell = |finding: Finding| println!("✗ {finding}");
        let verified = verify(&db, env, &secrets, tenant, &mut tell).await?;
        report(&verified);
        if verified.findings > 0 {
            bail!("{} things do not fit", verified.findings);
        }
        println!("✓ the books fit");
        Ok(())
    }
}

fn report(verified: &Verified) {
    let lines = [
        ("platforms with books", verified.tenants),
        ("transactions", verified.transactions),
        ("links of their history", verified.links),
        ("movements of wallets", verified.wallet_entries),
        ("accounts", verified.accounts),
        ("charges", verified.charges),
    ];
    for (what, count) in lines {
        println!("{count:>12}  {what}");
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
