//! Names that people read: one line, not blank.

/// Reads a name: without the white space around it; `None` where nothing is left or where it has
/// more than one line. The contract's rules have refused other control characters already.
pub fn parse(text: &str) -> Option<String> {
    let trimmed = text.trim();
    (!trimmed.is_empty() && !trimmed.chars().any(char::is_control)).then(|| trimmed.to_owned())
}

/// The rule that [`parse`] applies, for a person.
pub const RULE: &str = "must be one line that is not blank";

/// Whether the text can be compared exactly with what a token carries: one line, not blank, no
/// white space around it.
pub fn is_exact(text: &str) -> bool {
    parse(text).is_some_and(|trimmed| trimmed == text)
}

/// The rule that [`is_exact`] applies, for a person.
pub const EXACT_RULE: &str = "must be one line without white space around it";

#[cfg(test)]
mod tests {
    use super::{is_exact, parse};

    #[test]
    fn a_name_is_one_line_without_the_white_space_around_it() {
        assert_eq!(parse("  Clinic Nord \u{a0}").as_deref(), Some("Clinic Nord"));
        for blank in ["", "   ", "\u{2003}", "two\nlines", "a\tb"] {
            assert_eq!(parse(blank), None, "{blank:?}");
        }
    }

    #[test]
    fn an_exact_text_has_no_white_space_around_it() {
        assert!(is_exact("https://id.example"));
        assert!(!is_exact(" https://id.example"));
        assert!(!is_exact(""));
    }
}
