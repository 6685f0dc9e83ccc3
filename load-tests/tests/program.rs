//! The real program `plasma-load`: against a service that keeps its promises, and against one that
//! does not.

use std::path::Path;
use std::process::{Command, Output};

use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::send_response::Outcome;
use plasma_testkit::{Node, Proxy};
use serde_json::Value;

fn load(data: &Path, words: &[&str], operator_key: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plasma-load"))
        .args(words)
        .args(["--quick", "--seed", "7", "--data"])
        .arg(data)
        .env("PLASMA_LOAD_OPERATOR_KEY", operator_key)
        .output()
        .expect("the program runs")
}

fn report(data: &Path, profile: &str) -> Value {
    let json = std::fs::read(data.join(format!("{profile}.json"))).expect("a report");
    serde_json::from_slice(&json).expect("JSON")
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_service_that_keeps_its_promises_is_reported_clean() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let output = load(data, &["peak", "--devices", "12", "--sealed", "2"], "");
    assert!(output.status.success(), "{}", errors(&output));
    let peak = report(data, "peak");
    assert_eq!((&peak["is_clean"], &peak["seed"]), (&true.into(), &7.into()), "{peak}");
    assert_eq!((&peak["devices"], &peak["sealed_devices"]), (&12.into(), &2.into()));
    let names: Vec<_> = peak["phases"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["connect", "peak hour", "busiest minutes", "after"]);
    let tally = &peak["verdict"]["tally"];
    let count = |field: &str| tally[field].as_u64().unwrap();
    assert!(count("accepted") > 20 && count("accepted") == count("sent"), "{tally}");
    assert_eq!((count("received"), count("awaited")), (count("accepted"), 0));
    assert!(peak["phases"][1]["delivery"]["p99"].as_f64().unwrap() > 0.0);
    assert!(peak["phases"][1]["server_cpu_seconds"].as_f64().is_some());
    let page = std::fs::read_to_string(data.join("peak.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("class=\"clean\""));

    // The users are there for the next run, and so is what it leaves.
    let output = load(data, &["offline", "--devices", "12", "--messages", "60"], "");
    assert!(output.status.success(), "{}", errors(&output));
    assert!(errors(&output).contains("of the 12 users of earlier runs"), "{}", errors(&output));
    let offline = report(data, "offline");
    let phases = offline["phases"].as_array().unwrap();
    assert_eq!((&phases[1]["stored"], &phases[2]["received"]), (&60.into(), &60.into()));
}

#[test]
fn unit_costs_are_measured_one_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let output = load(data, &["costs"], "");
    assert!(output.status.success(), "{}", errors(&output));
    let path = data.join("costs.units.json");
    let costs: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let times = |unit: &str| costs["units"][unit]["times"].as_f64().unwrap();
    assert_eq!((times("near"), times("visit")), (96.0, 58.0), "{costs}");
    assert!(times("stored") >= 95.0 && times("look_up") > 10.0, "{costs}");
    assert!(costs["units"]["near"]["each"]["node_micros"].as_f64().unwrap() > 0.0, "{costs}");
    // On one node nothing goes between two.
    assert_eq!(costs["units"]["far"], Value::Null);
    let sized = Command::new(env!("CARGO_BIN_EXE_plasma-load"))
        .args(["size", "--costs", path.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(errors(&sized).contains("--store postgres --nodes 3"), "{}", errors(&sized));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_lies_is_found_out_and_the_program_ends_with_1() {
    let node = Node::builder().unlimited_rates().start().await.unwrap();
    let proxy = Proxy::start(node.channel().unwrap()).await.unwrap();
    // Whoever is away is said to have acknowledged.
    proxy.change("Send", |answer: &mut pb::SendResponse| {
        if let Some(Outcome::Accepted(accepted)) = &mut answer.outcome {
            for delivery in &mut accepted.deliveries {
                delivery.set_state(pb::DeliveryState::Delivered);
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_owned();
    let address = proxy.url().replace("http://", "");
    let key = node.operator_key().to_owned();
    let run = tokio::task::spawn_blocking(move || {
        let words = ["offline", "--devices", "4", "--messages", "20", "--address", &address];
        load(&data, &words, &key)
    });
    let output = run.await.unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("20 × answered as acknowledged before the device was given it"),
        "{said}"
    );
    let offline = report(folder.path(), "offline");
    assert_eq!(offline["verdict"]["wrong"]["answered_too_early"], 20);
}
