//! The rules of the fields that a request can hold.

use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};

/// Strings whose names end in `_id` and that are no ids of ours.
const FOREIGN_IDS: [&str; 2] = ["request_id", "partner_user_id"];

/// Most items of any list.
const ITEMS_MAX: u32 = 256;

/// The `(plasma.options.v1.rules)` of one field.
pub(crate) struct Rules(DynamicMessage);

impl Rules {
    pub(crate) fn of(pool: &DescriptorPool, field: &FieldDescriptor) -> Self {
        let rules = pool.get_extension_by_name("plasma.options.v1.rules").unwrap();
        let value = field.options().get_extension(&rules).into_owned();
        Self(value.as_message().unwrap().clone())
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.0.get_field_by_name(name).unwrap().as_bool().unwrap()
    }

    pub(crate) fn bytes(&self) -> (u32, u32) {
        (self.number("min_bytes"), self.number("max_bytes"))
    }

    fn number(&self, name: &str) -> u32 {
        self.0.get_field_by_name(name).unwrap().as_u32().unwrap()
    }

    fn is_id(&self) -> bool {
        !self.0.get_field_by_name("id_prefix").unwrap().as_str().unwrap().is_empty()
    }

    fn has(&self, name: &str) -> bool {
        self.0.has_field_by_name(name)
    }
}

/// Fields and oneofs of the messages that are without a bound.
pub(crate) fn violations(pool: &DescriptorPool, messages: &[MessageDescriptor]) -> Vec<String> {
    let mut found = Vec::new();
    for message in messages {
        for field in message.fields() {
            let name = field.full_name().to_owned();
            found.extend(violation(pool, &field).map(|what| format!("{name} {what}")));
        }
        for oneof in message.oneofs() {
            let required = pool.get_extension_by_name("plasma.options.v1.required_oneof").unwrap();
            if oneof.options().get_extension(&required).as_bool() != Some(true) {
                found.push(format!("{} may be unset", oneof.full_name()));
            }
        }
    }
    found
}

fn violation(pool: &DescriptorPool, field: &FieldDescriptor) -> Option<&'static str> {
    if field.is_map() {
        return Some("is a map, for which there are no rules");
    }
    let rules = Rules::of(pool, field);
    if field.is_list() && !(1..=ITEMS_MAX).contains(&rules.number("max_items")) {
        return Some("is a list without a cap of its own");
    }
    match field.kind() {
        Kind::String => {
            let name = field.name();
            let names_id = name.ends_with("_id") || name.ends_with("_ids");
            if names_id && !FOREIGN_IDS.contains(&name) && !rules.is_id() {
                return Some("is an id without a prefix");
            }
            (!rules.is_id() && rules.bytes().1 == 0).then_some("is a string without a bound")
        }
        Kind::Bytes => (rules.bytes().1 == 0).then_some("holds bytes without a bound"),
        Kind::Int32 | Kind::Int64 | Kind::Sint32 | Kind::Sint64 => {
            (!rules.has("min") || !rules.has("max")).then_some("is a number without bounds")
        }
        Kind::Float | Kind::Double => Some("is a floating-point number"),
        Kind::Message(inner) if inner.full_name() == "google.protobuf.Duration" => {
            let bounded = rules.has("min_seconds") && rules.has("max_seconds");
            (!bounded).then_some("is a duration without bounds")
        }
        _ => None,
    }
}
