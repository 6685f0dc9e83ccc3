//! The rules of methods: who may call, names, idempotency keys, pages.

use prost_reflect::{DescriptorPool, MessageDescriptor, MethodDescriptor, Value};

use crate::fields::Rules;

fn all(pool: &DescriptorPool) -> impl Iterator<Item = MethodDescriptor> + '_ {
    pool.services()
        .filter(|service| !crate::is_of_partners(pool, service))
        .flat_map(|service| service.methods().collect::<Vec<_>>())
}

/// Methods without principals, or whose messages are not named for them.
pub(crate) fn violations(pool: &DescriptorPool) -> Vec<String> {
    let mut found = Vec::new();
    for method in all(pool) {
        let name = method.full_name();
        let principals = principals(pool, &method);
        if principals.is_empty() {
            found.push(format!("{name} does not say who may call it"));
        }
        if principals.contains(&0) {
            found.push(format!("{name} allows an unknown principal"));
        }
        if method.input().name() != format!("{}Request", method.name()) {
            found.push(format!("{name} takes {}", method.input().full_name()));
        }
        if method.output().name() != format!("{}Response", method.name()) {
            found.push(format!("{name} answers with {}", method.output().full_name()));
        }
    }
    found
}

/// Requests that are not exempt and have no good `request_id`.
pub(crate) fn without_request_id(pool: &DescriptorPool, exempt: &[(&str, &str)]) -> Vec<String> {
    let mut found = Vec::new();
    for request in all(pool).map(|method| method.input()) {
        let name = request.full_name();
        match request.get_field_by_name("request_id") {
            None if is_exempt(&request, exempt) => {}
            None => found.push(format!("{name} has no request_id")),
            Some(field) => {
                let rules = Rules::of(pool, &field);
                if !rules.flag("required") || rules.bytes() != (8, 64) {
                    found.push(format!("{name}.request_id is not required, 8 to 64 bytes"));
                }
            }
        }
    }
    found
}

/// `List…` methods that are not exempt and lack a part of the pages.
pub(crate) fn without_pages(pool: &DescriptorPool, exempt: &[(&str, &str)]) -> Vec<String> {
    all(pool)
        .filter(|method| method.name().starts_with("List"))
        .filter(|method| !is_exempt(&method.input(), exempt))
        .filter(|method| {
            let (request, response) = (method.input(), method.output());
            request.get_field_by_name("page_size").is_none()
                || request.get_field_by_name("page_token").is_none()
                || response.get_field_by_name("next_page_token").is_none()
        })
        .map(|method| format!("{} has no pages", method.full_name()))
        .collect()
}

fn is_exempt(request: &MessageDescriptor, exempt: &[(&str, &str)]) -> bool {
    exempt.iter().any(|(name, _)| request.full_name() == format!("plasma.{name}Request"))
}

pub(crate) fn principals(pool: &DescriptorPool, method: &MethodDescriptor) -> Vec<i32> {
    let access = pool.get_extension_by_name("plasma.options.v1.access").unwrap();
    let options = method.options();
    let access = options.get_extension(&access).into_owned();
    let listed = access.as_message().unwrap().get_field_by_name("principals").unwrap().into_owned();
    listed.as_list().unwrap().iter().filter_map(Value::as_enum_number).collect()
}
