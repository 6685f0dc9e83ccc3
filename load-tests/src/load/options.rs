//! What a load is asked for.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::relay;
use crate::size::SizeArguments;
use crate::traffic::Transport;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "plasma-load",
    version,
    about = "Loads the service with simulated devices, and checks while it does that every message \
             arrives once and in order",
    after_help = "It ends with 1 where a promise was broken. What the profiles are and how to read \
                  a report is in load-tests/README.md.",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct Arguments {
    /// What to do instead of loading.
    #[command(subcommand)]
    pub mode: Option<Mode>,
    /// What to load with.
    #[arg(value_enum, required = true)]
    pub profile: Option<Profile>,
    /// How.
    #[command(flatten)]
    pub options: Options,
}

/// Another mode of the program.
#[derive(Debug, Subcommand)]
pub enum Mode {
    /// The bare relay that `--target bare` loads.
    #[command(flatten)]
    Relay(relay::Mode),
    /// Say what a number of users needs, or check that against reports
    Size(Box<SizeArguments>),
}

/// A kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// The busiest minutes of a day with 10,000 users: they come, write, open chats and go
    Peak,
    /// 10,000 devices connected at once, with traffic
    Connected,
    /// As many messages as go through, with more and more in flight: where the knee is
    Relay,
    /// Messages for devices that are away are stored, then the devices come and take them
    Offline,
    /// Every connection breaks at once and everybody comes back, under traffic
    Storm,
    /// A moderate load for long
    Soak,
    /// What each thing that people do costs, one at a time
    Costs,
}

impl Profile {
    /// The name, as it stands in reports and paths.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Peak => "peak",
            Self::Connected => "connected",
            Self::Relay => "relay",
            Self::Offline => "offline",
            Self::Storm => "storm",
            Self::Soak => "soak",
            Self::Costs => "costs",
        }
    }

    /// Whether the bare relay, which stores nothing, can be loaded with it.
    pub const fn suits_bare_relay(self) -> bool {
        matches!(self, Self::Connected | Self::Relay | Self::Soak)
    }
}

/// What is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TargetKind {
    /// The service
    Plasma,
    /// The bare relay: no authentication, storage, checks or encryption
    Bare,
}

/// What the nodes that are started here stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StoreKind {
    /// One node on SQLite, whose data is kept from run to run
    Embedded,
    /// Several nodes on private PostgreSQL and Redis servers
    Postgres,
}

/// How to load.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Few devices and seconds: shows that everything works, not how fast it is
    #[arg(long)]
    pub quick: bool,
    /// What to load
    #[arg(long, value_enum, default_value = "plasma")]
    pub target: TargetKind,
    /// What the nodes that are started here stand on
    #[arg(long, value_enum, default_value = "embedded")]
    pub store: StoreKind,
    /// Nodes to start with `--store postgres`
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=9))]
    pub nodes: u16,
    /// A node of a running service, IP and port; to be repeated for each
    #[arg(long, conflicts_with_all = ["store", "nodes", "target"])]
    pub address: Vec<SocketAddr>,
    /// The operator key of the service that `--address` names
    #[arg(long, env = "PLASMA_LOAD_OPERATOR_KEY", hide_env_values = true)]
    pub operator_key: Option<String>,
    /// The calls that carry messages
    #[arg(long, value_enum, default_value = "unary")]
    pub transport: Transport,
    /// Devices that write random bytes
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub devices: Option<u32>,
    /// Devices that are the Rust client, which seals what it writes; 0 or at least 2
    #[arg(long, value_parser = sealed_count)]
    pub sealed: Option<u32>,
    /// Messages per second
    #[arg(long, value_parser = positive)]
    pub rate: Option<f64>,
    /// Seconds for which messages are sent (of `relay`: seconds of each step)
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub seconds: Option<u64>,
    /// Messages in flight: of `offline`, and the most of `relay`
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub in_flight: Option<u32>,
    /// Messages of `offline`
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub messages: Option<u32>,
    /// Times that everybody reconnects in `storm`
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub storms: Option<u32>,
    /// Bytes of ciphertext of a message
    #[arg(long, default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(16..=98_304))]
    pub size: u32,
    /// The seed that chooses who writes when to whom; a random one where unset
    #[arg(long)]
    pub seed: Option<u64>,
    /// Threads of the generator
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub threads: u16,
    /// Where users are kept from run to run
    #[arg(long, default_value = "target/load")]
    pub data: PathBuf,
    /// Where the report goes, as .json and .html; `<data>/<profile>` where unset
    #[arg(long)]
    pub output: Option<PathBuf>,
}

fn positive(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "must be a number".to_owned())?;
    let is_allowed = rate > 0.0 && rate <= 1_000_000.0;
    is_allowed.then_some(rate).ok_or_else(|| "must be above 0 and at most 1000000".to_owned())
}

fn sealed_count(text: &str) -> Result<u32, String> {
    let count: u32 = text.parse().map_err(|_| "must be a number".to_owned())?;
    let is_allowed = count != 1 && count <= 10_000;
    is_allowed.then_some(count).ok_or_else(|| "must be 0 or from 2 to 10000".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser, ValueEnum};

    use super::{Arguments, Profile};
    use crate::load::plan::Plan;

    fn parse(words: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from([&["plasma-load"], words].concat())
    }

    #[test]
    fn a_profile_is_asked_for_by_the_name_that_it_is_reported_under() {
        for profile in Profile::value_variants() {
            assert_eq!(profile.to_possible_value().unwrap().get_name(), profile.name());
        }
    }

    #[test]
    fn the_command_line_is_consistent_and_refuses_what_it_cannot_do() {
        Arguments::command().debug_assert();
        let arguments = parse(&["connected", "--devices", "600", "--seed", "5"]).unwrap();
        let plan = Plan::of(arguments.profile.unwrap(), &arguments.options);
        assert_eq!((plan.devices, plan.rate, plan.sealed), (600, Some(10.0), 0));
        assert!(parse(&["relay-server", "--listen", "127.0.0.1:1"]).unwrap().profile.is_none());
        let wrong: [&[&str]; 6] = [
            &[],
            &["peak", "--rate", "0"],
            &["peak", "--sealed", "1"],
            &["peak", "--devices", "1"],
            &["peak", "--address", "127.0.0.1:1", "--store", "postgres"],
            &["peak", "--address", "localhost"],
        ];
        for words in wrong {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }
}
