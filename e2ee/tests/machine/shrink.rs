//! Plays a history in a box, and makes a failing one shorter.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use crate::heal::play;
use crate::history::History;
use crate::oracle::Counts;

/// How many shorter histories are tried.
const ATTEMPTS_MAX: u32 = 600;

thread_local! {
    /// What went wrong in the history that this thread plays.
    static FAILURE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Plays a history and returns what went wrong, without printing it.
pub fn attempt(history: &History, told: bool) -> Result<Counts, String> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let loud = take_hook();
        set_hook(Box::new(move |info| {
            FAILURE.with_borrow_mut(|failure| match failure {
                Some(failure) => *failure = info.to_string(),
                None => loud(info),
            });
        }));
    });
    FAILURE.set(Some(String::new()));
    let played = catch_unwind(AssertUnwindSafe(|| play(history, told)));
    let failure = FAILURE.take().unwrap_or_default();
    played.map_err(|_| failure)
}

/// Leaves out steps as long as the history still fails, larger parts first.
pub fn shrink(mut history: History, mut failure: String) -> (History, String) {
    let mut attempts = 0;
    let mut part = history.steps.len().div_ceil(2);
    while part > 0 && attempts < ATTEMPTS_MAX {
        let mut end = history.steps.len();
        let mut shorter = false;
        while end > 0 && attempts < ATTEMPTS_MAX {
            let start = end.saturating_sub(part);
            let mut candidate = history.clone();
            candidate.steps.drain(start..end);
            attempts += 1;
            if let Err(reason) = attempt(&candidate, false) {
                (history, failure, shorter) = (candidate, reason, true);
            }
            end = start;
        }
        if !shorter {
            part /= 2;
        }
    }
    (history, failure)
}
