//! The contract of Plasma as Rust code: messages, clients, servers, who may call what, and the
//! checks of every request field.
//!
//! Owns the generated code (checked in under `gen/`, remade by `make gen`), the codec that decodes
//! and checks requests, the text form of ids, and the shape of an error. Knows no business rule
//! beyond the field rules that the contract states.

pub mod check;
pub mod codec;
pub mod error_info;
pub mod id;
mod method;
mod price;

pub use check::{Validate, Violation};
pub use method::{METHODS, Method, Principal, method, offered_services};

/// The descriptor of the whole contract, options included, for reflection and for tests that are
/// generated from it.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("gen/descriptor.bin");

macro_rules! package {
    ($name:ident) => {
        #[doc = concat!("Package `plasma.", stringify!($name), ".v1`.")]
        pub mod $name {
            /// Version 1.
            #[allow(clippy::all, clippy::pedantic, reason = "generated")]
            pub mod v1 {
                include!(concat!("gen/plasma.", stringify!($name), ".v1.rs"));
            }
        }
    };
}

package!(billing);
package!(content);
package!(error);
package!(messaging);
package!(options);
package!(tenant);
