//! What is checked in is what is made.

use std::collections::BTreeSet;
use std::fs;

use plasma_vectors::{files, folder};

#[test]
fn the_checked_in_vectors_are_what_is_made() {
    for (name, made) in files() {
        let found = fs::read_to_string(folder().join(&name)).unwrap_or_default();
        assert!(found == made, "{name} differs; run `make vectors`, look at it and commit it");
    }
}

#[test]
fn no_other_file_is_checked_in() {
    let made: BTreeSet<String> = files().into_iter().map(|(name, _)| name).collect();
    let paths = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path());
    let json = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let found = json.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
    assert_eq!(found.collect::<BTreeSet<_>>(), made);
}

#[test]
fn the_readme_explains_every_file_and_field() {
    fn fields(value: &serde_json::Value, out: &mut BTreeSet<String>) {
        match value {
            serde_json::Value::Object(map) => {
                out.extend(map.keys().cloned());
                map.values().for_each(|value| fields(value, out));
            }
            serde_json::Value::Array(list) => list.iter().for_each(|value| fields(value, out)),
            _ => {}
        }
    }
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    for (name, made) in files() {
        assert!(readme.contains(&format!("`{name}`")), "{name} is not explained");
        let mut names = BTreeSet::new();
        fields(&serde_json::from_str(&made).unwrap(), &mut names);
        for field in names {
            assert!(readme.contains(&format!("`{field}`")), "{field} of {name} is not explained");
        }
    }
}
