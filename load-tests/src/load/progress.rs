//! What a load tells while it runs, on standard error.

/// Tells what happens.
pub fn say(what: impl AsRef<str>) {
    eprintln!("[load] {}", what.as_ref());
}
