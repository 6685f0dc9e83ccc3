//! `plasma-cluster`, as `make cluster` runs it: three nodes that are one service, and nothing left
//! when it ends.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use plasma_proto::tenant::v1::GetTenantRequest;
use plasma_proto::tenant::v1::tenant_service_client::TenantServiceClient;
use plasma_testkit::process::{Signal, free_port, send};
use plasma_testkit::{Onboarding, Platform};
use tonic::transport::Endpoint;

const END_MAX: Duration = Duration::from_secs(40);

struct Run {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Run {
    fn start(nodes: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_plasma-cluster"))
            .arg(folder.path())
            .env("NODES", nodes)
            .env("PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, folder, port }
    }

    /// Everything that the program started, and what that started.
    fn descendants(&self) -> Vec<u32> {
        let mut found = vec![self.child.id()];
        let mut next = 0;
        while next < found.len() {
            found.extend(children(found[next]));
            next += 1;
        }
        found.split_off(1)
    }

    /// Sends a signal, waits for the end and gives the exit code and the rest of the output.
    fn end(&mut self, signal: Signal) -> (Option<i32>, String) {
        send(self.child.id(), signal).unwrap();
        let deadline = Instant::now() + END_MAX;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the cluster has not ended");
            std::thread::sleep(Duration::from_millis(50));
        };
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (status.code(), said)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // A test that failed must leave nothing behind either.
        let _ = send(self.child.id(), Signal::TERM);
        let _ = self.child.wait();
    }
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|pids| {
            pids.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>()
        })
        .collect()
}

fn runs(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}/status")).exists()
}

fn after<'a>(line: &'a str, label: &str) -> Option<&'a str> {
    line.strip_prefix(label)?.split_whitespace().next()
}

// With threads to spare: while one waits for the end, another answers the nodes that close.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_are_one_service_and_ctrl_c_leaves_nothing_running() {
    let mut run = Run::start("3");
    let (mut addresses, mut key, mut logs) = (Vec::new(), String::new(), Vec::new());
    for line in BufReader::new(run.child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        addresses.extend(after(&line, "address ").map(str::to_owned));
        logs.extend(line.split_once("log ").map(|(_, log)| PathBuf::from(log)));
        key = after(&line, "operator key ").map_or(key, str::to_owned);
        if line.starts_with("stop ") {
            break;
        }
    }
    let expected: Vec<_> =
        (0..3).map(|more| format!("http://127.0.0.1:{}", run.port + more)).collect();
    assert_eq!(addresses, expected);
    assert!(logs.len() == 3 && logs.iter().all(|log| log.starts_with(run.folder.path())));

    let channel = |address: &str| Endpoint::from_shared(address.to_owned()).unwrap().connect_lazy();
    let onboarding = Onboarding::paid("Piano lessons", 1_000);
    let platform = Platform::onboard(channel(&addresses[0]), &key, &onboarding).await.unwrap();
    for address in &addresses {
        let request = GetTenantRequest { tenant_id: platform.tenant_id().to_owned() };
        let answer = TenantServiceClient::new(channel(address))
            .get_tenant(platform.backend(request).unwrap())
            .await
            .unwrap();
        let tenant = answer.into_inner().tenant.unwrap_or_default();
        assert_eq!(tenant.display_name, "Piano lessons", "{address}");
    }

    let started = run.descendants();
    // Three nodes, Redis, and PostgreSQL with its own.
    assert!(started.len() >= 8, "{started:?}");
    let (code, said) = run.end(Signal::INT);
    assert_eq!(code, Some(0), "{said}");
    let left: Vec<_> = started.into_iter().filter(|pid| runs(*pid)).collect();
    assert!(left.is_empty(), "{left:?} still run: {said}");
    for log in logs {
        let log = std::fs::read_to_string(log).unwrap();
        assert!(log.contains("draining"), "{log}");
        assert!(!log.contains("at the deadline"), "a call was cut off: {log}");
        assert!(!log.contains("out of reach"), "a server ended before the nodes: {log}");
    }
}

#[test]
fn a_start_that_is_interrupted_leaves_nothing_running() {
    let mut run = Run::start("");
    let deadline = Instant::now() + END_MAX;
    // In the middle: a server runs, and not everything does.
    while run.descendants().is_empty() {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(20));
    }
    let started = run.descendants();
    let (code, said) = run.end(Signal::TERM);
    assert_eq!(code, Some(1), "{said}");
    let left: Vec<_> = started.into_iter().filter(|pid| runs(*pid)).collect();
    assert!(left.is_empty(), "{left:?} still run: {said}");
    assert!(run.descendants().is_empty());
}

#[test]
fn a_wrong_number_of_nodes_is_refused_in_words() {
    for nodes in ["0", "13", "three"] {
        let mut run = Run::start(nodes);
        let status = run.child.wait().unwrap();
        let mut said = String::new();
        run.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(!status.success() && said.contains("NODES"), "{said}");
    }
}
