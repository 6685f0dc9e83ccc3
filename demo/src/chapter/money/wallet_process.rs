//! A platform’s own wallet as a process of its own: the reference provider, with its faults.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use plasma_testkit::node::plasma_program;
use plasma_testkit::process::{Process, free_port};
use plasma_testkit::secret;

use super::wallet_book::WalletBook;
use crate::person::until;

/// How late an answer is lost, in milliseconds.
const DELAY: &str = "150";

/// The wallet, its book and the way to it. Ended when dropped.
#[derive(Debug)]
pub struct WalletProcess {
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    secret: String,
    process: Option<Process>,
}

impl WalletProcess {
    /// Prepares a wallet whose book lies in a folder.
    pub fn new(folder: &Path) -> Result<Self> {
        let program = plasma_program()?.with_file_name("plasma-wallet-provider");
        ensure!(program.is_file(), "{} is not built", program.display());
        let (folder, secret) = (folder.to_owned(), secret::request_id() + &secret::request_id());
        Ok(Self { program, folder, port: free_port()?, secret, process: None })
    }

    /// Starts it, or starts it anew, with faults to one call in two, or without any.
    pub async fn start(&mut self, faults: &[&str], deposits: &[String]) -> Result<()> {
        self.process = None;
        let mut command = Command::new(&self.program);
        command
            .env("WALLET_SECRET", &self.secret)
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .arg("--file")
            .arg(self.file())
            .args(["--one-in", "2", "--delay-milliseconds", DELAY]);
        for fault in faults {
            command.args(["--fault", fault]);
        }
        for deposit in deposits {
            command.args(["--deposit", deposit]);
        }
        let mut process = Process::spawn(&mut command, &self.folder.join("wallet.log"))?;
        until("the wallet to listen", || {
            process.check_running()?;
            Ok(TcpStream::connect(("127.0.0.1", self.port)).is_ok())
        })
        .await?;
        // Who listens may be another, where the port was taken meanwhile.
        tokio::time::sleep(Duration::from_millis(50)).await;
        process.check_running()?;
        self.process = Some(process);
        Ok(())
    }

    /// The process id.
    pub fn pid(&self) -> Result<u32> {
        Ok(self.process.as_ref().context("the wallet runs")?.pid())
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What callers must have.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// Its book, looked at from outside.
    pub fn book(&self) -> Result<WalletBook> {
        WalletBook::open(&self.file())
    }

    fn file(&self) -> PathBuf {
        self.folder.join("wallet.sqlite")
    }
}
