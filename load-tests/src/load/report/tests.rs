use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::{Outcome, Phase, ServersUsed};
use crate::ledger::{Answer, Ledger, Policy, Witness};
use crate::load::beneath::UsedBeneath;
use crate::load::options::Profile;
use crate::load::series::Point;
use crate::load::server::Used;
use crate::meters::{Happening, Latencies};
use crate::traffic::Transport;

fn outcome(is_lost: bool) -> Outcome {
    let ledger = Ledger::new(4, 5);
    let [ann, bob] = [1, 2].map(|id| ledger.enlist(id, Witness::Client));
    if is_lost {
        let mark = ledger.begin(ann, &[bob], Instant::now());
        ledger.accepted(mark, &[(bob, Answer::Stored)]);
    }
    let verdict = ledger.verdict(Policy::default());
    let mut latencies = Latencies::default();
    for millis in 1..=100 {
        latencies.record(Duration::from_millis(millis));
    }
    let beneath = UsedBeneath {
        postgres_cpu_seconds: 0.02,
        redis_cpu_seconds: 0.003,
        wal_bytes: 4_500_000,
        write_transactions: 9,
        redis_commands: 400,
    };
    let used = Used { cpu_seconds: 0.01, resident_mib: 12.0, beneath: Some(beneath) };
    let phase = |in_flight: u32| Phase {
        name: format!("{in_flight} in flight"),
        seconds: 2.0,
        sent: 100,
        accepted: 100,
        stored: 0,
        received: 100,
        received_per_second: 50.0 * f64::from(in_flight),
        delivery: latencies.summary(),
        caught_up: Latencies::default().summary(),
        answer: latencies.summary(),
        distribution: latencies.distribution(),
        happenings: BTreeMap::from([(Happening::Opened, 2)]),
        listening: [0, 2],
        servers: Some(ServersUsed::of(&used, 100)),
        more: Map::from_iter([("in_flight".to_owned(), json!(in_flight))]),
    };
    let point = |at: f64| Point {
        at,
        sent: 50.0,
        received: 50.0,
        awaited: 0,
        p50: 1.0,
        p99: 2.0,
        max: 3.0,
    };
    Outcome {
        profile: Profile::Relay,
        target: "a <service>".to_owned(),
        nodes: 1,
        transport: Transport::Unary,
        ciphertext_length: 1024,
        devices: 2,
        sealed_devices: 0,
        seed: 4,
        phases: vec![phase(1), phase(2)],
        series: vec![point(1.0), point(2.0)],
        happenings: BTreeMap::from([(Happening::Opened, 2)]),
        failures: BTreeMap::new(),
        is_clean: verdict.is_clean(),
        verdict,
        costs: None,
        more: Map::from_iter([("most_per_second".to_owned(), json!(100.0))]),
    }
}

#[test]
fn a_report_is_written_with_the_fields_that_readers_expect() {
    let folder = tempfile::tempdir().unwrap();
    let [json, html] = outcome(false).write(&folder.path().join("made/relay")).unwrap();
    assert!(json.ends_with("made/relay.json") && html.ends_with("made/relay.html"));
    let read: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert_eq!(read["profile"], "relay");
    assert_eq!(read["is_clean"], true);
    assert_eq!(read["verdict"]["tally"]["sent"], 0);
    assert_eq!(read["phases"][1]["in_flight"], 2);
    assert_eq!(read["most_per_second"], 100.0);
    assert_eq!(read["happenings"]["opened"], 2);
    let p99 = read["phases"][0]["delivery"]["p99"].as_f64().unwrap();
    assert!((p99 - 99.0).abs() < 0.2, "{p99}");
    let used = |field: &str| read["phases"][0][field].as_f64().unwrap();
    assert_eq!((used("server_cpu_seconds"), used("server_micros_per_message")), (0.01, 100.0));
    assert_eq!(
        (used("postgres_micros_per_message"), used("redis_micros_per_message")),
        (200.0, 30.0)
    );
    assert_eq!((used("wal_bytes"), used("write_transactions")), (4.5e6, 9.0));
}

#[test]
fn the_page_has_its_plots_in_itself_and_says_what_a_service_answers_as_text() {
    let page = super::html::page(&outcome(false));
    assert_eq!(page.matches("<svg").count(), 4);
    assert!(page.contains("a &lt;service&gt;") && !page.contains("<service>"));
    for from_elsewhere in ["<script", "<link", "<img", "url(", "http"] {
        assert!(!page.contains(from_elsewhere), "{from_elsewhere}");
    }
}

#[test]
fn what_is_wrong_stands_in_text_page_and_json() {
    let outcome = outcome(true);
    assert!(outcome.text().contains("1 × lost"), "{}", outcome.text());
    assert!(super::html::page(&outcome).contains("class=\"broken\""));
    let json = serde_json::to_value(&outcome).unwrap();
    assert_eq!(json["verdict"]["wrong"]["lost"], 1);
    assert_eq!(json["is_clean"], false);
}
