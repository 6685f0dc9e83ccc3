//! The configuration: the commented defaults, then a file, then the environment.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use figment::Figment;
use figment::providers::{Env as Environment, Format, Toml};
use plasma_kit::db::DbConfig;
use plasma_kit::telemetry::TelemetryConfig;
use plasma_messaging::MessageRates;
use serde::Deserialize;

use crate::layers::admission::CallRates;

const DEFAULTS: &str = include_str!("../default.toml");
const PREFIX: &str = "PLASMA_";
/// The longest delay that a tenant's policy can state.
const ACCOUNT_RESET_DELAY_MAX: Duration = Duration::from_hours(30 * 24);
/// The greatest rate: one in a microsecond.
const RATE_MAX: u32 = 1_000_000;
/// Variables with our prefix that are no settings of the server.
const NO_SETTINGS: &[&str] =
    &["PLASMA_CONFIG", "PLASMA_BIN", "PLASMA_ENDPOINT", "PLASMA_API_KEY", "PLASMA_TEST_"];

/// The settings as they are written.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
struct Settings {
    listen: SocketAddr,
    data_dir: PathBuf,
    database_url: String,
    database_connections_max: u32,
    database_acquire_timeout_milliseconds: u64,
    migrate_on_start: bool,
    redis_url: String,
    public_url: String,
    operator_key: String,
    master_key: String,
    log_filter: String,
    log_json: bool,
    otlp_endpoint: String,
    reflection: bool,
    drain_seconds: u64,
    connections_max: usize,
    device_messages_per_second: u32,
    tenant_messages_per_second: u32,
    device_calls_per_second: u32,
    tenant_calls_per_second: u32,
    account_reset_delay_min: String,
    wallet_provider_loopback: bool,
}

/// The configuration in force. Its `Debug` shows no secret.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Config {
    /// Address and port.
    pub listen: SocketAddr,
    /// Where the embedded default keeps its data.
    pub data_dir: PathBuf,
    /// How to reach the database.
    pub database: DbConfig,
    /// Whether the database is the embedded one.
    pub embedded: bool,
    /// Whether to bring the schema up to date at the start.
    pub migrate_on_start: bool,
    /// Where the bus is.
    pub redis_url: Option<String>,
    /// The service's address as people reach it, without a trailing slash.
    pub public_url: String,
    /// The operator's key; made at the start where none is set.
    pub operator_key: Option<String>,
    /// Master keys, newest first; made at the start where none is set.
    pub master_keys: Vec<[u8; 32]>,
    /// Logs and traces.
    pub telemetry: TelemetryConfig,
    /// Whether reflection answers.
    pub reflection: bool,
    /// How long a stop waits.
    pub drain: Duration,
    /// Most connections that are open at once.
    pub connections_max: usize,
    /// How many messages may be sent.
    pub message_rates: MessageRates,
    /// How many other calls may be made.
    pub call_rates: CallRates,
    /// The least delay of account resets, whatever a tenant's policy says.
    pub account_reset_delay_min: Duration,
    /// Whether platforms' wallet providers may be on this machine and without TLS.
    pub wallet_provider_loopback: bool,
}

impl Config {
    /// Reads the defaults, the file that `PLASMA_CONFIG` names, and the environment.
    pub fn load() -> Result<Self> {
        refuse_unknown_variables(std::env::vars().map(|(name, _)| name))?;
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        if let Some(file) = std::env::var_os("PLASMA_CONFIG") {
            let path = PathBuf::from(file);
            ensure!(path.is_file(), "PLASMA_CONFIG names {}, which is no file", path.display());
            figment = figment.merge(Toml::file_exact(path));
        }
        let names: Vec<String> = setting_names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        figment = figment.merge(Environment::prefixed(PREFIX).only(&names));
        let settings: Settings = figment.extract().context("the configuration is wrong")?;
        Self::check(settings)
    }

    fn check(settings: Settings) -> Result<Self> {
        let embedded = settings.database_url.is_empty();
        let url = if embedded {
            format!("sqlite://{}", settings.data_dir.join("plasma.db").display())
        } else {
            ensure!(
                settings.database_url.starts_with("postgres://")
                    || settings.database_url.starts_with("postgresql://")
                    || settings.database_url.starts_with("sqlite://"),
                "database_url must begin with postgres:// or sqlite://"
            );
            settings.database_url
        };
        ensure!(
            settings.database_connections_max >= 1,
            "database_connections_max must be 1 or more"
        );
        ensure!(settings.connections_max >= 1, "connections_max must be 1 or more");
        for (name, rate) in [
            ("device_messages_per_second", settings.device_messages_per_second),
            ("tenant_messages_per_second", settings.tenant_messages_per_second),
            ("device_calls_per_second", settings.device_calls_per_second),
            ("tenant_calls_per_second", settings.tenant_calls_per_second),
        ] {
            ensure!(rate <= RATE_MAX, "{name} must be at most {RATE_MAX}; 0 for no limit");
        }
        let operator_key = some(settings.operator_key);
        if let Some(key) = &operator_key {
            ensure!(
                key.starts_with("op_") && key.len() >= 35,
                "operator_key must be op_ and at least 32 characters"
            );
        }
        let master_keys = master_keys(&settings.master_key)?;
        ensure!(
            embedded || url.starts_with("sqlite://") || !master_keys.is_empty(),
            "master_key must be set with PostgreSQL: every node needs the same. \
             Make one with: head -c 32 /dev/urandom | base64"
        );
        let public_url = if settings.public_url.is_empty() {
            format!("http://{}", settings.listen)
        } else {
            settings.public_url.trim_end_matches('/').to_owned()
        };
        Ok(Self {
            listen: settings.listen,
            data_dir: settings.data_dir,
            database: DbConfig {
                url,
                connections_max: settings.database_connections_max,
                acquire_timeout: Duration::from_millis(
                    settings.database_acquire_timeout_milliseconds,
                ),
            },
            embedded,
            migrate_on_start: settings.migrate_on_start,
            redis_url: some(settings.redis_url),
            public_url,
            operator_key,
            master_keys,
            telemetry: TelemetryConfig {
                filter: settings.log_filter,
                json: settings.log_json,
                otlp_endpoint: some(settings.otlp_endpoint),
            },
            reflection: settings.reflection,
            drain: Duration::from_secs(settings.drain_seconds),
            connections_max: settings.connections_max,
            message_rates: MessageRates {
                device: settings.device_messages_per_second,
                tenant: settings.tenant_messages_per_second,
            },
            call_rates: CallRates {
                device: settings.device_calls_per_second,
                tenant: settings.tenant_calls_per_second,
            },
            account_reset_delay_min: span(&settings.account_reset_delay_min).context(
                "account_reset_delay_min must be a number and s, m, h or d, such as 24h",
            )?,
            wallet_provider_loopback: settings.wallet_provider_loopback,
        })
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is in force, for a person, without secrets.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = if self.embedded {
            format!("embedded SQLite in {}", self.data_dir.display())
        } else {
            without_password(&self.database.url)
        };
        let bus = self
            .redis_url
            .as_deref()
            .map_or_else(|| "in process: one node".to_owned(), without_password);
        let given = |set: bool| if set { "set" } else { "made once and kept in the data folder" };
        let traces = self.telemetry.otlp_endpoint.as_deref().unwrap_or("off");
        writeln!(f, "listen                 {}", self.listen)?;
        writeln!(f, "public address         {}", self.public_url)?;
        writeln!(f, "database               {database}")?;
        writeln!(f, "database connections   {} and 4 reserved", self.database.connections_max)?;
        writeln!(f, "migrate on start       {}", self.migrate_on_start)?;
        writeln!(f, "bus                    {bus}")?;
        writeln!(f, "operator key           {}", given(self.operator_key.is_some()))?;
        writeln!(
            f,
            "master keys            {}",
            match self.master_keys.len() {
                0 => given(false).to_owned(),
                count => format!("{count} set"),
            }
        )?;
        writeln!(f, "log filter             {}", self.telemetry.filter)?;
        writeln!(f, "traces (OTLP)          {traces}")?;
        writeln!(f, "reflection             {}", self.reflection)?;
        writeln!(f, "drain                  {} s", self.drain.as_secs())?;
        writeln!(f, "connections            {} at most", self.connections_max)?;
        let MessageRates { device, tenant } = self.message_rates;
        writeln!(f, "messages of a device   {}", Rate(device))?;
        writeln!(f, "messages of a tenant   {}", Rate(tenant))?;
        let CallRates { device, tenant } = self.call_rates;
        writeln!(f, "calls of a device      {}", Rate(device))?;
        writeln!(f, "calls of a tenant      {}", Rate(tenant))?;
        writeln!(
            f,
            "account reset delay    {} s at least",
            self.account_reset_delay_min.as_secs()
        )?;
        let wallets = if self.wallet_provider_loopback { "public or here" } else { "public" };
        write!(f, "wallet providers       {wallets} addresses")
    }
}

/// A rate for a person.
struct Rate(u32);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("unlimited"),
            rate => write!(f, "{rate} per second"),
        }
    }
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// Reads a duration such as `24h`, of 30 days at most.
fn span(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    let whole = number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = number.parse().ok().filter(|_| whole)?;
    let span = Duration::from_secs(number.checked_mul(seconds)?);
    (span <= ACCOUNT_RESET_DELAY_MAX).then_some(span)
}

fn master_keys(text: &str) -> Result<Vec<[u8; 32]>> {
    text.split(',')
        .map(str::trim)
        .filter(|key| !key.is_empty())
        .map(|key| {
            let bytes = STANDARD.decode(key).context("master_key is not base64")?;
            bytes.try_into().map_err(|_| anyhow::anyhow!("a master_key must have 32 bytes"))
        })
        .collect()
}

fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}"),
        _ => url.to_owned(),
    }
}

fn setting_names() -> Vec<String> {
    DEFAULTS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = ").map(|(name, _)| name.to_owned()))
        .collect()
}

fn refuse_unknown_variables(names: impl Iterator<Item = String>) -> Result<()> {
    let known = setting_names();
    for name in names.filter(|name| name.starts_with(PREFIX)) {
        let setting = name[PREFIX.len()..].to_lowercase();
        let other = NO_SETTINGS.iter().any(|other| name.starts_with(other));
        if !other && !known.contains(&setting) {
            bail!("{name} is no setting; the settings are: {}", known.join(", "));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
