//! `plasma wallet-check` against the example wallet: all well where the wallet keeps the contract, and
//! for each way to misunderstand it at least the check that is there to find it.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::collections::BTreeSet;
use std::process::Command;

use clap::ValueEnum;
use plasma_api::wallet_check::{check, report};
use plasma_wallet_provider::{Book, Faults, Flaw, Wallet};
use tokio::net::TcpListener;
use tonic::transport::Endpoint;

const SECRET: &str = "a-secret-of-the-test";

/// Serves a wallet, and gives its address.
async fn wallet(flaw: Option<Flaw>) -> String {
    let book = Book::in_memory().unwrap().with_flaw(flaw);
    book.deposit("ann", "EUR", 100_000).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(Wallet::new(book, Faults::default(), SECRET).serve(listener));
    url
}

async fn failed(flaw: Option<Flaw>) -> BTreeSet<&'static str> {
    let channel = Endpoint::from_shared(wallet(flaw).await).unwrap().connect().await.unwrap();
    let findings = check(channel, SECRET, "ann", "EUR").await.unwrap();
    println!("{flaw:?}\n{}", report(&findings));
    findings.iter().filter(|finding| finding.verdict.is_err()).map(|it| it.name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wallet_that_keeps_the_contract_passes() {
    assert_eq!(failed(None).await, BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_misunderstanding_is_found_by_the_check_of_it() {
    let mut finding = BTreeSet::new();
    for flaw in Flaw::value_variants() {
        let check = match flaw {
            Flaw::RepeatsReserve => "same again",
            Flaw::RacesItself => "in parallel",
            Flaw::IgnoresOtherBody => "other body",
            Flaw::ForgetsRelease => "tombstone",
            Flaw::KeepsReleased => "release",
            Flaw::CapturesReleased => "then capture",
            Flaw::ReleasesCaptured => "then release",
            Flaw::CapturesWhole => "part",
            Flaw::DeclinesCaptures => "capture",
            Flaw::KeepsDeclined => "declined",
            Flaw::ShowsOldState => "operation",
            Flaw::CapturesTwice => "capture again",
            Flaw::UnknownIsError => "never seen",
            Flaw::RepeatsRefund => "refund",
            Flaw::RefundsTooMuch => "refunds",
            Flaw::LendsMoney => "too much",
            Flaw::WelcomesStrangers => "stranger",
            Flaw::ShowsReserved => "reserve",
            Flaw::ListsTooLittle | Flaw::RepeatsPage => "list",
            Flaw::OpenToAll => "secret",
        };
        let failed = failed(Some(*flaw)).await;
        assert!(failed.contains(check), "{flaw:?} was not found by {check}: {failed:?}");
        finding.insert(check);
    }
    // Each check has been seen to fail.
    assert_eq!(finding.len(), 20, "{finding:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_reports_in_words_and_ends_with_1_where_a_check_fails() {
    for (flaw, code, words) in
        [(None, 0, "keeps the contract"), (Some(Flaw::ForgetsRelease), 1, "FAILED")]
    {
        let url = wallet(flaw).await;
        let run = move || {
            Command::new(env!("CARGO_BIN_EXE_plasma"))
                .args(["wallet-check", &url, "--token", SECRET, "--user", "ann"])
                .output()
        };
        let output = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(words), "{text}");
    }
}
