//! The service stands what happens to it, on both ways to run; and no shipped build has the bugs that
//! `make faults-control` plants.

use std::process::Command;

use anyhow::{Context, Result};
use plasma_load_tests::dice::Dice;
use plasma_load_tests::faults::planted;
use plasma_load_tests::faults::probe::{Nodes, Probe, Scene};
use plasma_load_tests::faults::promptness::WithoutRedis;
use plasma_load_tests::faults::storm::Storm;
use plasma_testkit::ClusterKind;
use plasma_testkit::node::plasma_program;
use serde_json::Value;

const FEATURE: &str = "planted-bugs";

/// A run repeats with the seed that it printed: `SEED=… cargo nextest run -p plasma-load-tests`.
fn seed() -> u64 {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(Dice::random_seed);
    println!("SEED={seed}");
    seed
}

async fn one_fault_at_a_time(kind: ClusterKind) -> Result<()> {
    let mut scene = Scene::start(kind, Nodes::Sound, seed()).await?;
    for probe in Probe::ALL.into_iter().filter(|probe| probe.fits(kind)) {
        let found = probe.ask(&mut scene).await?;
        println!("{probe}: {found}");
        assert!(found.is_kept(), "{probe}: {found}");
    }
    Ok(())
}

async fn faults_at_random(kind: ClusterKind) -> Result<()> {
    let outcome = Storm::short(kind, seed()).blow().await?;
    println!("{outcome}");
    assert!(outcome.is_clean(), "{outcome}");
    // How fast messages come without Redis is promised of an idle machine: it is told, not judged.
    if let Some(promise) = WithoutRedis::of(&outcome) {
        println!("{promise}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_keeps_its_promises_under_one_fault_at_a_time() -> Result<()> {
    one_fault_at_a_time(ClusterKind::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn several_nodes_keep_their_promises_under_one_fault_at_a_time() -> Result<()> {
    one_fault_at_a_time(ClusterKind::Scaled).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_that_is_killed_and_drained_loses_nothing_and_shows_nothing_twice() -> Result<()> {
    faults_at_random(ClusterKind::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_redis_and_postgres_that_fail_lose_nothing_and_show_nothing_twice() -> Result<()> {
    faults_at_random(ClusterKind::Scaled).await
}

#[test]
fn no_feature_and_no_dependency_switches_planted_bugs_on() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let workspace: Value = serde_json::from_slice(&output.stdout)?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let names = |value: &Value| {
        list(value).iter().any(|name| name.as_str().is_some_and(|name| name.contains(FEATURE)))
    };
    let (mut have_it, mut programs) = (0, 0);
    for package in list(&workspace["packages"]) {
        for (feature, enables) in package["features"].as_object().context("features")? {
            if feature == FEATURE {
                have_it += 1;
            } else {
                assert!(!names(enables), "{}: {feature} switches them on", package["name"]);
            }
        }
        for dependency in list(&package["dependencies"]) {
            assert!(!names(&dependency["features"]), "{} asks for them", package["name"]);
        }
        for target in list(&package["targets"]) {
            if target["name"] == "plasma-planted" {
                assert!(names(&target["required-features"]));
                programs += 1;
            }
        }
    }
    assert_eq!((have_it, programs), (2, 1), "the feature is where it is looked for");
    Ok(())
}

#[test]
fn the_program_that_is_tested_has_no_planted_bugs() -> Result<()> {
    let has_them = |program: Vec<u8>| {
        let variable = planted::VARIABLE.as_bytes();
        program.windows(variable.len()).any(|bytes| bytes == variable)
    };
    assert!(!has_them(std::fs::read(plasma_program()?)?));
    // The control, where it was built: the words are found in a program that has them.
    if let Ok(planted) = planted::program() {
        assert!(has_them(std::fs::read(planted)?));
    }
    Ok(())
}
