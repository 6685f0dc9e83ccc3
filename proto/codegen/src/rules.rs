//! Reads the options of the contract: who may call, what a field may hold.

use anyhow::{Context, Result};
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, MethodDescriptor, OneofDescriptor,
    ServiceDescriptor, Value,
};

/// What `(plasma.options.v1.rules)` says of one field.
#[derive(Debug, Default, Clone)]
pub(crate) struct Rules {
    pub(crate) required: bool,
    pub(crate) min_bytes: u32,
    pub(crate) max_bytes: u32,
    pub(crate) id_prefix: String,
    pub(crate) min: Option<i64>,
    pub(crate) max: Option<i64>,
    pub(crate) max_items: u32,
    pub(crate) unique: bool,
    pub(crate) min_seconds: Option<i64>,
    pub(crate) max_seconds: Option<i64>,
}

/// Reads the rules of a field; all unset where it has none.
pub(crate) fn of_field(pool: &DescriptorPool, field: &FieldDescriptor) -> Result<Rules> {
    let extension = pool
        .get_extension_by_name("plasma.options.v1.rules")
        .context("the contract lacks plasma.options.v1.rules")?;
    let options = field.options();
    if !options.has_extension(&extension) {
        return Ok(Rules::default());
    }
    let value = options.get_extension(&extension).into_owned();
    let rules = value.as_message().context("rules is a message")?;
    Ok(Rules {
        required: flag(rules, "required"),
        min_bytes: number(rules, "min_bytes"),
        max_bytes: number(rules, "max_bytes"),
        id_prefix: text(rules, "id_prefix"),
        min: signed(rules, "min"),
        max: signed(rules, "max"),
        max_items: number(rules, "max_items"),
        unique: flag(rules, "unique"),
        min_seconds: signed(rules, "min_seconds"),
        max_seconds: signed(rules, "max_seconds"),
    })
}

/// Whether a member of the oneof must be set.
pub(crate) fn oneof_is_required(pool: &DescriptorPool, oneof: &OneofDescriptor) -> Result<bool> {
    let extension = pool
        .get_extension_by_name("plasma.options.v1.required_oneof")
        .context("the contract lacks plasma.options.v1.required_oneof")?;
    let options = oneof.options();
    Ok(options.has_extension(&extension)
        && options.get_extension(&extension).as_bool().unwrap_or_default())
}

/// Whether partners implement the service, so that the server does not offer it.
pub(crate) fn is_implemented_by_partner(
    pool: &DescriptorPool,
    service: &ServiceDescriptor,
) -> Result<bool> {
    let extension = pool
        .get_extension_by_name("plasma.options.v1.implemented_by_partner")
        .context("the contract lacks plasma.options.v1.implemented_by_partner")?;
    let options = service.options();
    Ok(options.has_extension(&extension)
        && options.get_extension(&extension).as_bool().unwrap_or_default())
}

/// The principals that a method allows, as the enum's numbers.
pub(crate) fn principals(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<Vec<i32>> {
    let extension = pool
        .get_extension_by_name("plasma.options.v1.access")
        .context("the contract lacks plasma.options.v1.access")?;
    let options = method.options();
    let value = options.get_extension(&extension).into_owned();
    let access = value.as_message().context("access is a message")?;
    let listed = access.get_field_by_name("principals").context("access lists principals")?;
    let numbers: Vec<i32> =
        listed.as_list().unwrap_or_default().iter().filter_map(Value::as_enum_number).collect();
    anyhow::ensure!(!numbers.is_empty(), "{} does not say who may call it", method.full_name());
    Ok(numbers)
}

fn value(message: &DynamicMessage, name: &str) -> Value {
    message.get_field_by_name(name).map_or(Value::Bool(false), std::borrow::Cow::into_owned)
}

fn flag(message: &DynamicMessage, name: &str) -> bool {
    value(message, name).as_bool().unwrap_or_default()
}

fn number(message: &DynamicMessage, name: &str) -> u32 {
    value(message, name).as_u32().unwrap_or_default()
}

fn text(message: &DynamicMessage, name: &str) -> String {
    value(message, name).as_str().unwrap_or_default().to_owned()
}

fn signed(message: &DynamicMessage, name: &str) -> Option<i64> {
    message.has_field_by_name(name).then(|| value(message, name).as_i64()).flatten()
}
