//! The rules, without I/O.

mod account;
mod chat;
mod device_set;
mod identity_cause;
mod link_token;
mod prekeys;
pub mod recipients;
mod refusal;
mod report;

pub use account::{Founding, Standing, Succession, found, succeed};
pub use chat::{ChatState, Member, UserKey, is_open_at, ordered};
pub use device_set::DeviceSet;
pub use identity_cause::IdentityCause;
pub use link_token::LinkToken;
pub use prekeys::{FirstPrekeys, Prekey, read_first, read_published};
pub use refusal::Refusal;
pub use report::Report;
