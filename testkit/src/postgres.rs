//! A private PostgreSQL server in a temporary folder, on loopback, gone when dropped; can be
//! stopped as by a crash and started again.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::process::{self, Process, Signal};

/// The server's superuser, and the owner of every database.
const USER: &str = "plasma";
const START_TIMEOUT: Duration = Duration::from_secs(30);
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// What differs from the settings that PostgreSQL ships with. Autovacuum is off because its
/// workers write statistics into catalogs, and the counters of a small, short-lived server are to
/// move for what its clients do and for nothing else.
const SETTINGS: [(&str, &str); 6] = [
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_directories", ""),
    ("max_connections", "300"),
    ("shared_buffers", "64MB"),
    ("autovacuum", "off"),
    ("log_min_messages", "warning"),
];

/// A running private server.
#[derive(Debug)]
pub struct PrivatePostgres {
    process: Mutex<Process>,
    programs: Programs,
    owner: Owner,
    settings: Vec<(String, String)>,
    port: u16,
    folder: TempDir,
}

impl PrivatePostgres {
    /// Makes a database cluster and starts a server on it. Durable as in production (`fsync` on),
    /// with trust authentication on 127.0.0.1 alone.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// Starts with more settings, such as `("autovacuum", "on")`; they go before the harness's own.
    pub fn start_with(settings: &[(&str, &str)]) -> Result<Self> {
        let programs = Programs::find()?;
        let folder = tempfile::Builder::new().prefix("plasma-postgres-").tempdir()?;
        let owner = Owner::for_folder(folder.path())?;
        initdb(&programs, &owner, &data_dir(folder.path()), folder.path())?;
        let settings: Vec<_> = SETTINGS
            .iter()
            .chain(settings)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let (port, process) = process::retry_port(|port| {
            let process = serve(&programs, &owner, folder.path(), port, &settings)?;
            Ok((port, process))
        })?;
        let process = Mutex::new(process);
        Ok(Self { process, programs, owner, settings, port, folder })
    }

    /// The address of a database.
    pub fn url(&self, database: &str) -> String {
        url(self.port, database)
    }

    /// The server's address without a database, as `PLASMA_TEST_POSTGRES` names one.
    pub fn server_url(&self) -> String {
        self.url("").trim_end_matches('/').to_owned()
    }

    /// The address of the database that is always there, from which others are made.
    pub fn base_url(&self) -> String {
        self.url("postgres")
    }

    /// Makes an empty database of a fresh name; returns its address.
    pub fn create_database(&self) -> Result<String> {
        self.programs.create_database(&self.base_url())
    }

    /// The process id of the server's first process.
    pub fn pid(&self) -> u32 {
        self.process().pid()
    }

    /// The folder of the data files and the write-ahead log.
    pub fn data_dir(&self) -> PathBuf {
        data_dir(self.folder.path())
    }

    /// The server's log.
    pub fn log_path(&self) -> PathBuf {
        log_path(self.folder.path())
    }

    /// Ends the server at once, as a crash would: clients are cut off in the middle of their
    /// transactions, and the next start recovers from the write-ahead log.
    pub fn crash(&self) -> Result<()> {
        self.process().stop(Signal::QUIT, STOP_TIMEOUT)?;
        Ok(())
    }

    /// Starts the server again on the same files and port; crashes it first where it runs.
    pub fn restart(&self) -> Result<()> {
        self.crash()?;
        let folder = self.folder.path();
        let process = serve(&self.programs, &self.owner, folder, self.port, &self.settings)?;
        *self.process() = process;
        Ok(())
    }

    /// Ends the server in order (clients are disconnected, data is flushed) and removes the folder.
    pub fn stop(self) -> Result<()> {
        self.process().stop(Signal::INT, STOP_TIMEOUT)?;
        Ok(())
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        // An immediate shutdown ends the server's children as well, which a SIGKILL would not.
        let _ = self.crash();
    }
}

/// The programs of one PostgreSQL installation.
#[derive(Debug, Clone)]
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Finds the newest installation that has a server: `PATH`, then Debian's folders.
    pub fn find() -> Result<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        folders.extend(debian_folders());
        folders
            .into_iter()
            .find(|folder| ["initdb", "postgres", "psql"].iter().all(|p| folder.join(p).is_file()))
            .map(|folder| Self { folder })
            .context(
                "no PostgreSQL server was found (initdb, postgres and psql in one folder of PATH or \
                 in /usr/lib/postgresql/*/bin); install it: `apt-get install postgresql` on Debian, \
                 `brew install postgresql` on macOS, or run scripts/setup",
            )
    }

    /// Runs one SQL command; returns its rows, columns parted by `|`.
    pub fn query(&self, url: &str, sql: &str) -> Result<String> {
        let output = Command::new(self.folder.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-c", sql, "-d", url])
            .env("PGAPPNAME", "plasma-testkit")
            .env("PGCONNECT_TIMEOUT", "5")
            .stdin(Stdio::null())
            .output()
            .context("run psql")?;
        ensure!(
            output.status.success(),
            "psql: {}: {}",
            process::describe(output.status),
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }

    /// Makes an empty database of a fresh name on the server of `base_url`; returns its address.
    pub fn create_database(&self, base_url: &str) -> Result<String> {
        let (server, _) = base_url.rsplit_once('/').context("a URL with a database")?;
        let name = format!("plasma_{}", crate::secret::name());
        self.query(base_url, &format!("CREATE DATABASE {name}"))?;
        Ok(format!("{server}/{name}"))
    }

    /// Drops a database, whoever is connected to it.
    pub fn drop_database(&self, base_url: &str, database_url: &str) -> Result<()> {
        let (_, name) = database_url.rsplit_once('/').context("a URL with a database")?;
        self.query(base_url, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))?;
        Ok(())
    }
}

/// Debian keeps each major version in a folder of its own; the newest comes first.
fn debian_folders() -> Vec<PathBuf> {
    let mut versions = BTreeMap::new();
    for entry in std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten() {
        if let Ok(version) = entry.file_name().to_string_lossy().parse::<u32>() {
            versions.insert(version, entry.path().join("bin"));
        }
    }
    versions.into_values().rev().collect()
}

/// Whom the server runs as: initdb and postgres refuse to run as root.
#[derive(Debug, Clone, Copy)]
struct Owner(Option<(u32, u32)>);

impl Owner {
    fn for_folder(folder: &Path) -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self(None));
        }
        let accounts = std::fs::read_to_string("/etc/passwd").context("read /etc/passwd")?;
        let (user, group) = account(&accounts, "postgres")
            .or_else(|| account(&accounts, "nobody"))
            .context("neither a user `postgres` nor `nobody` to run PostgreSQL as")?;
        std::os::unix::fs::chown(folder, Some(user), Some(group))
            .with_context(|| format!("give {} to the server", folder.display()))?;
        Ok(Self(Some((user, group))))
    }

    fn command(self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder);
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
        command
    }
}

fn account(accounts: &str, name: &str) -> Option<(u32, u32)> {
    let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn initdb(programs: &Programs, owner: &Owner, data: &Path, folder: &Path) -> Result<()> {
    let output = owner
        .command(&programs.folder.join("initdb"), folder)
        .arg("-D")
        .arg(data)
        .args(["-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"])
        .stdin(Stdio::null())
        .output()
        .context("run initdb")?;
    ensure!(
        output.status.success(),
        "initdb: {}:\n{}",
        process::describe(output.status),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn serve(
    programs: &Programs,
    owner: &Owner,
    folder: &Path,
    port: u16,
    settings: &[(String, String)],
) -> Result<Process> {
    let mut command = owner.command(&programs.folder.join("postgres"), folder);
    command.arg("-D").arg(data_dir(folder)).arg("-p").arg(port.to_string());
    for (name, value) in settings {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    let mut process = Process::spawn(&mut command, &log_path(folder))?;
    let deadline = Instant::now() + START_TIMEOUT;
    while let Err(error) = programs.query(&url(port, "postgres"), "SELECT 1") {
        process.check_running()?;
        if Instant::now() >= deadline {
            bail!("PostgreSQL did not answer in time: {error:#}\n{}", process.log_tail());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    process.check_running()?;
    Ok(process)
}

fn url(port: u16, database: &str) -> String {
    format!("postgres://{USER}@127.0.0.1:{port}/{database}")
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("postgres.log")
}

fn data_dir(folder: &Path) -> PathBuf {
    folder.join("data")
}
