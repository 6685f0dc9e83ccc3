//! The names that prost gives in Rust to what the contract names.

/// `some_name` is `SomeName`.
pub(crate) fn camel(name: &str) -> String {
    let mut out = String::new();
    for word in name.split('_') {
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}

/// `SomeName` is `some_name`.
pub(crate) fn snake(name: &str) -> String {
    let mut out = String::new();
    for (index, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && index > 0 {
            out.push('_');
        }
        out.extend(letter.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{camel, snake};

    #[test]
    fn names_change_their_case() {
        assert_eq!(camel("one_time_unlock"), "OneTimeUnlock");
        assert_eq!(snake("PublishPriceRequest"), "publish_price_request");
    }
}
