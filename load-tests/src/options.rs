//! What a run of the bench is asked for.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};

use crate::relay::Mode;

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "plasma-bench", version, about = "Measures the service against yardsticks")]
pub struct Arguments {
    /// What to do instead of measuring.
    #[command(subcommand)]
    pub mode: Option<Mode>,
    /// How to measure.
    #[command(flatten)]
    pub options: Options,
}

/// A figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FigureName {
    /// Server CPU per relayed message.
    #[value(name = "relay.unary")]
    RelayUnary,
    /// Server CPU per message that is relayed over one stream a device.
    #[value(name = "relay.connect")]
    RelayConnect,
    /// Messages stored for absent devices.
    #[value(name = "offline.store")]
    OfflineStore,
    /// Messages that were stored, delivered and deleted.
    #[value(name = "offline.drain")]
    OfflineDrain,
    /// Server memory per idle connection.
    #[value(name = "idle.memory")]
    IdleMemory,
    /// How long messages take at half of the greatest load.
    #[value(name = "latency.half")]
    LatencyHalf,
    /// Purchases against one tenant's revenue.
    #[value(name = "purchase.hot")]
    PurchaseHot,
    /// Purchases against the revenue of many tenants, by many callers and by one.
    #[value(name = "purchase.spread")]
    PurchaseSpread,
    /// Subscriptions that are due, renewed by the server itself.
    #[value(name = "renewals")]
    Renewals,
    /// One session begun and its first message opened.
    #[value(name = "handshake")]
    Handshake,
    /// One turn of the double ratchet.
    #[value(name = "ratchet.turn")]
    RatchetTurn,
    /// One message of 1 KiB within a chain.
    #[value(name = "ratchet.chain")]
    RatchetChain,
    /// One message sealed for ten devices.
    #[value(name = "fanout.10")]
    Fanout10,
}

impl FigureName {
    /// The name, as it stands in the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RelayUnary => "relay.unary",
            Self::RelayConnect => "relay.connect",
            Self::OfflineStore => "offline.store",
            Self::OfflineDrain => "offline.drain",
            Self::IdleMemory => "idle.memory",
            Self::LatencyHalf => "latency.half",
            Self::PurchaseHot => "purchase.hot",
            Self::PurchaseSpread => "purchase.spread",
            Self::Renewals => "renewals",
            Self::Handshake => "handshake",
            Self::RatchetTurn => "ratchet.turn",
            Self::RatchetChain => "ratchet.chain",
            Self::Fanout10 => "fanout.10",
        }
    }
}

/// How to measure.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Short windows and few users: shows that everything works, not how fast it is
    #[arg(long)]
    pub quick: bool,
    /// Figures to measure; all where none is named
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<FigureName>,
    /// Pairs of runs, ours and the yardstick's in turn; at least 3
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(3..=50))]
    pub runs: u32,
    /// Devices of the figures with messages, each with a connection of its own; even
    #[arg(long, env = "BENCH_CONNECTIONS", value_parser = even_connections)]
    pub connections: Option<usize>,
    /// Messages in flight at saturation
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub in_flight: u16,
    /// Connections of idle.memory, in ascending order; even
    #[arg(long, value_delimiter = ',', value_parser = even_idle)]
    pub idle: Vec<usize>,
    /// Subscriptions that are due in renewals
    #[arg(long, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub renewals: Option<u32>,
    /// Seconds of each measured window
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub seconds: Option<u64>,
    /// Where the figures are written
    #[arg(long, default_value = "target/bench.json")]
    pub output: PathBuf,
}

impl Options {
    /// Whether a figure is asked for.
    pub fn wants(&self, figure: FigureName) -> bool {
        self.only.is_empty() || self.only.contains(&figure)
    }

    /// The devices of the figures with messages.
    pub fn connections(&self) -> usize {
        self.connections.unwrap_or(if self.quick { 50 } else { 200 })
    }

    /// The numbers of connections of `idle.memory`, ascending.
    pub fn idle(&self) -> Vec<usize> {
        if !self.idle.is_empty() {
            return self.idle.clone();
        }
        vec![if self.quick { 100 } else { 1_000 }]
    }

    /// The subscriptions that are due in `renewals`.
    pub fn renewals(&self) -> u32 {
        self.renewals.unwrap_or(if self.quick { 1_500 } else { 100_000 })
    }

    /// The length of a measured window.
    pub fn window(&self) -> Duration {
        Duration::from_secs(self.seconds.unwrap_or(if self.quick { 1 } else { 4 }))
    }

    /// How long a load runs before its window begins.
    pub fn warm_up(&self) -> Duration {
        Duration::from_millis(if self.quick { 500 } else { 1_500 })
    }
}

fn even_connections(text: &str) -> Result<usize, String> {
    even(text, 1_000)
}

fn even_idle(text: &str) -> Result<usize, String> {
    even(text, 10_000)
}

fn even(text: &str, most: usize) -> Result<usize, String> {
    let count: usize = text.parse().map_err(|_| "must be a number".to_owned())?;
    let allowed = (2..=most).contains(&count) && count.is_multiple_of(2);
    allowed.then_some(count).ok_or_else(|| format!("must be an even number from 2 to {most}"))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser, ValueEnum};

    use super::{Arguments, FigureName};

    #[test]
    fn a_figure_is_asked_for_by_the_name_that_it_is_reported_under() {
        for figure in FigureName::value_variants() {
            assert_eq!(figure.to_possible_value().unwrap().get_name(), figure.name());
        }
    }

    #[test]
    fn the_command_line_is_consistent_and_refuses_what_it_cannot_do() {
        Arguments::command().debug_assert();
        let parse = |words: &[&str]| {
            Arguments::try_parse_from([&["plasma-bench"], words].concat()).map(|it| it.options)
        };
        let options = parse(&["--only", "relay.unary,ratchet.turn", "--connections", "10"]);
        let options = options.unwrap();
        assert!(options.wants(FigureName::RatchetTurn) && !options.wants(FigureName::PurchaseHot));
        assert_eq!(options.connections(), 10);
        for wrong in [["--connections", "3"], ["--connections", "1002"], ["--runs", "2"]] {
            assert!(parse(&wrong).is_err(), "{wrong:?}");
        }
    }
}
