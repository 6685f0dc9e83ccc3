//! The checks that the field rules of the contract ask for.

use std::collections::BTreeSet;
use std::fmt::Debug;

/// A field that breaks its rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field's path, such as `peer_envelopes[2].device_id`.
    pub field: String,
    /// What is expected, for a person.
    pub rule: String,
}

impl Violation {
    fn new(field: &str, rule: impl Into<String>) -> Self {
        Self { field: field.to_owned(), rule: rule.into() }
    }

    fn within(mut self, field: &str) -> Self {
        self.field = format!("{field}.{}", self.field);
        self
    }
}

/// A message whose fields can be checked against the rules of the contract.
pub trait Validate {
    /// Whether a call carries many of these, each of which its handler checks and answers.
    const IS_STREAMED: bool = false;

    /// Checks every field; names the first that breaks its rule.
    fn validate(&self) -> Result<(), Violation>;
}

impl Validate for () {
    fn validate(&self) -> Result<(), Violation> {
        Ok(())
    }
}

pub(crate) fn at(field: &str, index: usize) -> String {
    format!("{field}[{index}]")
}

pub(crate) fn text(
    field: &str,
    value: &str,
    required: bool,
    min: usize,
    max: usize,
) -> Result<(), Violation> {
    length(field, value.len(), required, min, max)?;
    if value.chars().any(is_disallowed) {
        return Err(Violation::new(
            field,
            "must not contain control or bidirectional-override characters",
        ));
    }
    Ok(())
}

/// Control characters but tab and newline, and what reorders text around it.
fn is_disallowed(letter: char) -> bool {
    (letter.is_control() && letter != '\n' && letter != '\t')
        || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

pub(crate) fn bytes(
    field: &str,
    value: &[u8],
    required: bool,
    min: usize,
    max: usize,
) -> Result<(), Violation> {
    length(field, value.len(), required, min, max)
}

fn length(
    field: &str,
    length: usize,
    required: bool,
    min: usize,
    max: usize,
) -> Result<(), Violation> {
    if length == 0 {
        return if required { Err(Violation::new(field, "must be set")) } else { Ok(()) };
    }
    let bounded = max > 0;
    if length < min || (bounded && length > max) {
        let rule = match (min, bounded) {
            (0, _) => format!("must be at most {max} bytes long, and is {length}"),
            (_, false) => format!("must be at least {min} bytes long, and is {length}"),
            _ if min == max => format!("must be exactly {max} bytes long, and is {length}"),
            _ => format!("must be {min} to {max} bytes long, and is {length}"),
        };
        return Err(Violation::new(field, rule));
    }
    Ok(())
}

pub(crate) fn id(field: &str, value: &str, prefix: &str, required: bool) -> Result<(), Violation> {
    if value.is_empty() && !required {
        return Ok(());
    }
    if crate::id::parse(prefix, value).is_none() {
        return Err(Violation::new(field, format!("must be an id of the form {prefix}_…")));
    }
    Ok(())
}

pub(crate) fn enumeration(
    field: &str,
    value: i32,
    defined: bool,
    required: bool,
) -> Result<(), Violation> {
    if !defined {
        return Err(Violation::new(field, format!("has no value {value}")));
    }
    if required && value == 0 {
        return Err(Violation::new(field, "must be set"));
    }
    Ok(())
}

pub(crate) fn integer(
    field: &str,
    value: i128,
    min: Option<i64>,
    max: Option<i64>,
) -> Result<(), Violation> {
    if let Some(min) = min.filter(|min| value < i128::from(*min)) {
        return Err(Violation::new(field, format!("must be at least {min}")));
    }
    if let Some(max) = max.filter(|max| value > i128::from(*max)) {
        return Err(Violation::new(field, format!("must be at most {max}")));
    }
    Ok(())
}

pub(crate) fn items<T: Debug>(
    field: &str,
    values: &[T],
    required: bool,
    max: usize,
    unique: bool,
) -> Result<(), Violation> {
    if required && values.is_empty() {
        return Err(Violation::new(field, "must have an item"));
    }
    if values.len() > max {
        return Err(Violation::new(field, format!("must have at most {max} items")));
    }
    if unique {
        let different: BTreeSet<String> = values.iter().map(|value| format!("{value:?}")).collect();
        if different.len() != values.len() {
            return Err(Violation::new(field, "must not repeat an item"));
        }
    }
    Ok(())
}

pub(crate) fn oneof(field: &str, set: bool) -> Result<(), Violation> {
    if set { Ok(()) } else { Err(Violation::new(field, "must have one of its members set")) }
}

pub(crate) fn message<M: Validate>(
    field: &str,
    value: Option<&M>,
    required: bool,
) -> Result<(), Violation> {
    match value {
        Some(value) => value.validate().map_err(|violation| violation.within(field)),
        None if required => Err(Violation::new(field, "must be set")),
        None => Ok(()),
    }
}

pub(crate) fn duration(
    field: &str,
    value: Option<&prost_types::Duration>,
    required: bool,
    min: Option<i64>,
    max: Option<i64>,
) -> Result<(), Violation> {
    let Some(value) = value else {
        return if required { Err(Violation::new(field, "must be set")) } else { Ok(()) };
    };
    if !(0..1_000_000_000).contains(&value.nanos) {
        return Err(Violation::new(field, "must have 0 to 999,999,999 nanos"));
    }
    integer(field, i128::from(value.seconds), min, max)?;
    if max == Some(value.seconds) && value.nanos > 0 {
        return Err(Violation::new(field, format!("must be at most {} seconds", value.seconds)));
    }
    Ok(())
}

/// The years 1 to 9999, as the protobuf definition of a timestamp says.
const TIMESTAMP_SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

pub(crate) fn timestamp(
    field: &str,
    value: Option<&prost_types::Timestamp>,
    required: bool,
) -> Result<(), Violation> {
    match value {
        None if required => Err(Violation::new(field, "must be set")),
        Some(value)
            if !TIMESTAMP_SECONDS.contains(&value.seconds)
                || !(0..1_000_000_000).contains(&value.nanos) =>
        {
            Err(Violation::new(field, "must be a time in the years 1 to 9999"))
        }
        _ => Ok(()),
    }
}

pub(crate) fn field_mask(
    field: &str,
    value: Option<&prost_types::FieldMask>,
    required: bool,
) -> Result<(), Violation> {
    let paths = value.map(|mask| mask.paths.as_slice()).unwrap_or_default();
    if required && paths.is_empty() {
        return Err(Violation::new(field, "must name a field"));
    }
    items(field, paths, false, 32, true)
}

#[rustfmt::skip]
#[allow(clippy::all, clippy::pedantic, reason = "generated")]
mod generated {
    use super::{Validate, Violation};
    use super::super::check;
    include!("gen/validate.rs");
}
