//! What every RPC and every field of the contract must state, walked from its descriptor.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

#[cfg(test)]
mod exempt;
#[cfg(test)]
mod fields;
#[cfg(test)]
mod methods;

use std::collections::BTreeSet;
use std::path::Path;

use plasma_proto::{FILE_DESCRIPTOR_SET, METHODS};
use prost_reflect::{DescriptorPool, Kind, MessageDescriptor, ServiceDescriptor};

fn contract() -> DescriptorPool {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap()
}

/// Whether partners implement a service and the server does not offer it.
fn is_of_partners(pool: &DescriptorPool, service: &ServiceDescriptor) -> bool {
    let name = "plasma.options.v1.implemented_by_partner";
    let option = pool.get_extension_by_name(name).unwrap();
    service.options().get_extension(&option).as_bool() == Some(true)
}

/// Every message that a request can hold, the requests themselves included.
fn reachable_from_requests(pool: &DescriptorPool) -> Vec<MessageDescriptor> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let mut open: Vec<_> = pool
        .services()
        .flat_map(|service| service.methods().map(|m| m.input()).collect::<Vec<_>>())
        .collect();
    while let Some(message) = open.pop() {
        if !message.package_name().starts_with("plasma.")
            || !seen.insert(message.full_name().to_owned())
        {
            continue;
        }
        open.extend(message.fields().filter_map(|field| match field.kind() {
            Kind::Message(inner) => Some(inner),
            _ => None,
        }));
        found.push(message);
    }
    found
}

#[test]
fn the_contract_has_the_services_that_the_server_offers() {
    let pool = contract();
    let mut paths: Vec<String> = pool
        .services()
        .filter(|service| !is_of_partners(&pool, service))
        .flat_map(|service| {
            let methods: Vec<_> = service.methods().collect();
            methods.into_iter().map(move |m| format!("/{}/{}", service.full_name(), m.name()))
        })
        .collect();
    paths.sort();
    assert!(paths.len() > 40, "{paths:?}");
    let table: Vec<_> = METHODS.iter().map(|method| method.path.to_owned()).collect();
    assert_eq!(paths, table, "run `make gen`");
}

#[test]
fn what_partners_implement_is_offered_by_nobody_and_asks_for_no_principal() {
    let pool = contract();
    let of_partners: Vec<_> =
        pool.services().filter(|service| is_of_partners(&pool, service)).collect();
    let names: Vec<_> =
        of_partners.iter().map(prost_reflect::ServiceDescriptor::full_name).collect();
    assert_eq!(names, ["plasma.billing.v1.WalletProvider"]);
    for service in &of_partners {
        assert!(!plasma_proto::offered_services().contains(&service.full_name()));
        for method in service.methods() {
            let path = format!("/{}/{}", service.full_name(), method.name());
            assert!(plasma_proto::method(&path).is_none(), "{path}");
            assert_eq!(methods::principals(&pool, &method), [0; 0], "{path}");
        }
    }
    assert_eq!(plasma_proto::offered_services().len() + names.len(), pool.services().len());
}

#[test]
fn every_rpc_says_who_may_call_it_and_is_named_for_its_messages() {
    assert_eq!(methods::violations(&contract()), [""; 0]);
}

#[test]
fn every_request_has_an_idempotency_key_or_a_reason_to_need_none() {
    let pool = contract();
    assert_eq!(methods::without_request_id(&pool, exempt::FROM_REQUEST_ID), [""; 0]);
    let names: BTreeSet<&str> = exempt::FROM_REQUEST_ID.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.len(), exempt::FROM_REQUEST_ID.len(), "an exemption is listed twice");
    for (name, reason) in exempt::FROM_REQUEST_ID {
        let request = format!("plasma.{name}Request");
        let message = pool.get_message_by_name(&request);
        let message = message.unwrap_or_else(|| panic!("{request} is exempt and does not exist"));
        assert!(message.get_field_by_name("request_id").is_none(), "{request} needs no exemption");
        assert!(reason.len() > 10, "{request}");
    }
}

#[test]
fn every_list_has_pages_or_a_reason_to_need_none() {
    assert_eq!(methods::without_pages(&contract(), exempt::FROM_PAGES), [""; 0]);
}

#[test]
fn every_field_of_a_request_is_bounded() {
    let pool = contract();
    let messages = reachable_from_requests(&pool);
    assert!(messages.len() > 50, "{}", messages.len());
    assert_eq!(fields::violations(&pool, &messages), [""; 0]);
}

#[test]
fn no_message_has_a_floating_point_number() {
    for message in contract().all_messages().filter(|m| m.package_name().starts_with("plasma.")) {
        for field in message.fields() {
            let floating = matches!(field.kind(), Kind::Double | Kind::Float);
            assert!(!floating, "{}", field.full_name());
        }
    }
}

/// A contract that breaks the rules, one in each place.
const BROKEN: &str = r#"
syntax = "proto3";
package plasma.broken.v1;
import "google/protobuf/duration.proto";
import "plasma/options/v1/options.proto";
service BrokenService {
  rpc ChangeIt(ChangeItRequest) returns (ChangeItResponse);
  rpc GuardIt(GuardItRequest) returns (OtherResponse) {
    option (plasma.options.v1.access) = { principals: [PRINCIPAL_UNSPECIFIED] };
  }
  rpc ListThings(ListThingsRequest) returns (ListThingsResponse) {
    option (plasma.options.v1.access) = { principals: [PRINCIPAL_OPERATOR] };
  }
}
message ChangeItRequest {
  string text = 1;
  bytes data = 2;
  repeated string tags = 3 [(plasma.options.v1.rules).max_bytes = 5];
  map<string, string> labels = 4;
  int64 number = 5;
  google.protobuf.Duration wait = 6;
  string thing_id = 7 [(plasma.options.v1.rules).max_bytes = 50];
  oneof choice { Inner inner = 8; }
}
message Inner { string deep = 1; }
message ChangeItResponse {}
message GuardItRequest { string request_id = 1 [(plasma.options.v1.rules).max_bytes = 64]; }
message OtherResponse {}
message ListThingsRequest {}
message ListThingsResponse { repeated string things = 1; }
"#;

#[test]
fn a_contract_that_breaks_the_rules_is_caught_at_every_place() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("broken.proto"), BROKEN).unwrap();
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto");
    let mut compiler = protox::Compiler::new([folder.path(), &proto]).unwrap();
    compiler.include_imports(true).open_file("broken.proto").unwrap();
    // Through bytes: options are read as extensions, as those of the contract are.
    let pool = DescriptorPool::decode(&*compiler.encode_file_descriptor_set()).unwrap();

    let methods = methods::violations(&pool);
    assert_eq!(
        methods,
        [
            "plasma.broken.v1.BrokenService.ChangeIt does not say who may call it",
            "plasma.broken.v1.BrokenService.GuardIt allows an unknown principal",
            "plasma.broken.v1.BrokenService.GuardIt answers with plasma.broken.v1.OtherResponse",
        ]
    );
    let keyless = methods::without_request_id(&pool, &[]);
    assert_eq!(
        keyless,
        [
            "plasma.broken.v1.ChangeItRequest has no request_id",
            "plasma.broken.v1.GuardItRequest.request_id is not required, 8 to 64 bytes",
            "plasma.broken.v1.ListThingsRequest has no request_id",
        ]
    );
    let pages = methods::without_pages(&pool, &[]);
    assert_eq!(pages, ["plasma.broken.v1.BrokenService.ListThings has no pages"]);
    let fields = fields::violations(&pool, &reachable_from_requests(&pool));
    let at = |name: &str| fields.iter().filter(|text| text.contains(&format!(".{name} "))).count();
    for name in ["text", "data", "tags", "labels", "number", "wait", "thing_id", "choice", "deep"] {
        assert!(at(name) > 0, "{name} was not caught: {fields:?}");
    }
    // The map counts three times: it, and its keys and values.
    assert_eq!(fields.len(), 11, "{fields:?}");
}
