//! Every file replays from its inputs, and no value of it can change unnoticed.

use std::fs;
use std::panic::{catch_unwind, set_hook, take_hook};

use plasma_vectors::{files, folder, replay};
use serde_json::Value;

fn read(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder().join(name)).unwrap()).unwrap()
}

#[test]
fn every_file_replays() {
    for (name, _) in files() {
        replay(&name, &read(&name));
    }
}

/// Every place of a file that holds a value, but for what only a reader reads.
fn places(value: &Value, path: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map.iter().filter(|(name, _)| *name != "description") {
                places(value, &format!("{path}/{name}"), out);
            }
        }
        Value::Array(list) => {
            for (position, value) in list.iter().enumerate() {
                places(value, &format!("{path}/{position}"), out);
            }
        }
        // A case's name explains it.
        _ if path.ends_with("/name") => {}
        _ => out.push(path.to_owned()),
    }
}

/// Changes one character, digit or flag.
fn change(value: &mut Value, at: usize) {
    *value = match value {
        Value::String(text) => {
            let mut letters: Vec<char> = text.chars().collect();
            match letters.len() {
                0 => letters.push('0'),
                length => {
                    let letter = &mut letters[at % length];
                    *letter = if *letter == '0' { '1' } else { '0' };
                }
            }
            letters.into_iter().collect::<String>().into()
        }
        Value::Number(number) => (number.as_u64().unwrap() + 1).into(),
        Value::Bool(flag) => (!*flag).into(),
        other => panic!("{other} is no value"),
    };
}

/// The bytes of structures that hold a signature which is only verified are changed in every
/// sixteenth place, everything else once.
#[test]
fn a_changed_value_is_noticed() {
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let mut unnoticed = Vec::new();
    let mut changes = 0;
    for (name, _) in files() {
        let file = read(&name);
        let mut all = Vec::new();
        places(&file, "", &mut all);
        for (position, place) in all.iter().enumerate() {
            let mut changed = file.clone();
            change(changed.pointer_mut(place).unwrap(), position.wrapping_mul(7919));
            changes += 1;
            if catch_unwind(|| replay(&name, &changed)).is_ok() {
                unnoticed.push(format!("{name}{place}"));
            }
        }
    }
    set_hook(hook);
    println!("{changes} changes");
    assert!(unnoticed.is_empty(), "{unnoticed:#?}");
}
