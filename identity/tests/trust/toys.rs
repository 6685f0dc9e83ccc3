//! Nothing that is shipped can be built with the toy primitives.

use std::fs;
use std::path::{Path, PathBuf};

const FLAG: &str = "plasma_toy_primitives";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}

fn members() -> Vec<String> {
    let manifest = read("Cargo.toml");
    let list = manifest.split_once("members = [").unwrap().1.split_once(']').unwrap().0;
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn depends_on(member: &str, dependency: &str) -> bool {
    let manifest = read(&format!("{member}/Cargo.toml"));
    manifest.lines().any(|line| line.starts_with(&format!("{dependency}.")))
}

#[test]
fn every_crate_that_uses_keys_refuses_to_compile_with_toys() {
    let guard = format!("#[cfg({FLAG})]\ncompile_error!");
    let refuses = |member: &str| read(&format!("{member}/src/lib.rs")).contains(&guard);
    let mut users = 0;
    for member in members() {
        let uses_keys =
            depends_on(&member, "plasma-identity") || depends_on(&member, "plasma-e2ee");
        if !uses_keys || member == "e2ee" {
            continue;
        }
        users += 1;
        let behind_a_guard = ["client", "messaging"]
            .into_iter()
            .any(|guarded| depends_on(&member, &format!("plasma-{guarded}")) && refuses(guarded));
        assert!(refuses(&member) || behind_a_guard, "{member} would take toys for keys");
    }
    assert!(users >= 5, "the manifests are no longer read");
}

#[test]
fn no_manifest_and_no_build_script_asks_for_toys() {
    let mut files: Vec<String> = members()
        .iter()
        .flat_map(|member| [format!("{member}/Cargo.toml"), format!("{member}/build.rs")])
        .collect();
    files.extend([".cargo/config.toml", ".cargo/config", "scripts/test"].map(String::from));
    for file in files {
        assert!(!read(&file).contains(FLAG), "{file} asks for toys");
    }
    let declared = read("Cargo.toml").matches(FLAG).count();
    assert_eq!(declared, 1, "the workspace only says that the flag exists");
}
