//! What is promised, and whether it was seen.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, ContentArrangement, Table};

/// One promise that was looked at.
#[derive(Debug, Clone)]
pub struct Check {
    /// The promise, as a sentence.
    pub promise: String,
    /// What was seen.
    pub seen: String,
    /// Whether what was seen is what was promised.
    pub passed: bool,
}

/// Every promise that was looked at, in order.
#[derive(Debug, Default)]
pub struct Checks {
    list: Vec<Check>,
}

impl Checks {
    /// Notes a promise.
    pub fn add(&mut self, check: Check) {
        self.list.push(check);
    }

    /// Returns how many passed and how many there are.
    pub fn count(&self) -> (usize, usize) {
        (self.list.iter().filter(|check| check.passed).count(), self.list.len())
    }

    /// Lists those that did not pass.
    pub fn failed(&self) -> impl Iterator<Item = &Check> {
        self.list.iter().filter(|check| !check.passed)
    }

    /// Renders them as a table.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(118).set_header(["", "#", "promise", "seen"]);
        for (index, check) in self.list.iter().enumerate() {
            table.add_row([
                Cell::new(if check.passed { "✓" } else { "✗" }),
                Cell::new(index + 1),
                Cell::new(&check.promise),
                Cell::new(&check.seen),
            ]);
        }
        table.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_check_is_counted_and_named() {
        let mut checks = Checks::default();
        for (promise, passed) in [("kept", true), ("broken", false)] {
            checks.add(Check { promise: promise.to_owned(), seen: String::new(), passed });
        }
        assert_eq!(checks.count(), (1, 2));
        assert_eq!(checks.failed().map(|check| &check.promise[..]).collect::<Vec<_>>(), ["broken"]);
        assert!(checks.table().contains('✗'));
    }
}
