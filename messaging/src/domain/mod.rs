//! The rules, without I/O.

mod account;
mod account_reset;
mod chat;
mod device_set;
mod identity_cause;
mod link_token;
mod linking;
mod prekeys;
pub mod recipients;
mod refusal;
mod report;
mod succession;

pub use account::{Founding, found};
pub use account_reset::{AccountReset, NotDue};
pub use chat::{ChatState, Member, UserKey, is_open_at, ordered};
pub use device_set::DeviceSet;
pub use identity_cause::IdentityCause;
pub use link_token::LinkToken;
pub use linking::{LINKING_LIFETIME, Linking, LinkingCause, Posting, Side};
pub use prekeys::{FirstPrekeys, Prekey, read_first, read_published};
pub use refusal::Refusal;
pub use report::Report;
pub use succession::{Change, Standing, Succession, succeed};
