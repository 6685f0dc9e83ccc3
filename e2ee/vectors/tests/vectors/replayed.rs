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

/// Whether another value may be as good: when something happens enters no byte, another text that
/// is wrong is refused alike, and so is another offer that is, or a second one of what has arrived;
/// and lengths of one step are padded alike.
fn may_vary(place: &str) -> bool {
    place.ends_with("/now")
        || place.ends_with("/index")
        || place.contains("/refused/")
        || place.contains("/padding/")
}

/// A file without all of its cases but one, for each; a file without cases as it is.
fn apart(file: Value) -> Vec<Value> {
    let Some(cases) = file.get("cases").and_then(Value::as_array).cloned() else {
        return vec![file];
    };
    let alone = |case| {
        let mut file = file.clone();
        file["cases"] = vec![case].into();
        file
    };
    cases.into_iter().map(alone).collect()
}

/// Each value is changed once, the bytes of a long one in a place that differs from value to value.
#[test]
fn a_changed_value_is_noticed() {
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let mut unnoticed = Vec::new();
    let mut changes = 0;
    for (name, _) in files() {
        for file in apart(read(&name)) {
            let mut all = Vec::new();
            places(&file, "", &mut all);
            for (position, place) in all.iter().enumerate().filter(|(_, place)| !may_vary(place)) {
                let mut other = file.clone();
                change(other.pointer_mut(place).unwrap(), position.wrapping_mul(7919));
                changes += 1;
                if catch_unwind(|| replay(&name, &other)).is_ok() {
                    unnoticed.push(format!("{name}{place}"));
                }
            }
        }
    }
    set_hook(hook);
    println!("{changes} changes");
    assert!(unnoticed.is_empty(), "{unnoticed:#?}");
}
