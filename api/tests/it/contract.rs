//! The contract as its descriptor states it: what the tests are generated from.

use std::sync::LazyLock;

use plasma_proto::options::v1::FieldRules;
use plasma_proto::{FILE_DESCRIPTOR_SET, METHODS};
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap());

/// The path of every method.
pub(crate) fn paths() -> Vec<&'static str> {
    METHODS.iter().map(|method| method.path).collect()
}

/// The method of a path; `None` where the contract has none.
fn method(path: &str) -> Option<MethodDescriptor> {
    let (service, name) = path.trim_start_matches('/').split_once('/')?;
    POOL.get_service_by_name(service)?.methods().find(|method| method.name() == name)
}

/// The request of a method.
pub(crate) fn request_of(path: &str) -> MessageDescriptor {
    method(path).unwrap_or_else(|| panic!("{path} is not in the contract")).input()
}

/// Whether a method answers with a stream.
pub(crate) fn is_streaming(path: &str) -> bool {
    method(path).is_some_and(|method| method.is_server_streaming())
}

/// Whether a method takes a stream of requests.
pub(crate) fn takes_many(path: &str) -> bool {
    method(path).is_some_and(|method| method.is_client_streaming())
}

/// What the contract says of a field.
pub(crate) fn rules(field: &FieldDescriptor) -> FieldRules {
    let extension = POOL.get_extension_by_name("plasma.options.v1.rules").unwrap();
    let options = field.options();
    let value = options.get_extension(&extension).into_owned();
    value.as_message().unwrap().transcode_to().unwrap()
}

/// Whether one member of a oneof must be set.
pub(crate) fn is_required(oneof: &prost_reflect::OneofDescriptor) -> bool {
    let extension = POOL.get_extension_by_name("plasma.options.v1.required_oneof").unwrap();
    oneof.options().get_extension(&extension).as_bool() == Some(true)
}

/// Whether a message is one of ours, with fields of its own to spoil.
pub(crate) fn is_ours(message: &MessageDescriptor) -> bool {
    message.package_name().starts_with("plasma.")
}

/// The full name of every field that a request can hold.
pub(crate) fn fields_of(path: &str) -> Vec<String> {
    let mut open = vec![request_of(path)];
    let mut found = Vec::new();
    while let Some(message) = open.pop() {
        for field in message.fields() {
            found.push(field.full_name().to_owned());
            if let Kind::Message(inner) = field.kind()
                && is_ours(&inner)
            {
                open.push(inner);
            }
        }
    }
    found.sort();
    found.dedup();
    found
}
