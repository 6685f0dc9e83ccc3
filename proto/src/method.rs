//! The table of methods: who may call which.

pub use crate::options::v1::Principal;

/// One method of the contract.
#[derive(Debug)]
pub struct Method {
    /// The path of the HTTP/2 request: `/package.Service/Method`.
    pub path: &'static str,
    /// Who may call it; any one suffices.
    pub principals: &'static [Principal],
}

include!("gen/methods.rs");

/// The services that the server offers, sorted. Those that partners implement are not among them.
pub fn offered_services() -> Vec<&'static str> {
    let mut names: Vec<_> =
        METHODS.iter().filter_map(|method| method.path.split('/').nth(1)).collect();
    names.dedup();
    names
}

/// Finds a method by its path.
pub fn method(path: &str) -> Option<&'static Method> {
    METHODS.binary_search_by(|method| method.path.cmp(path)).ok().map(|found| &METHODS[found])
}
