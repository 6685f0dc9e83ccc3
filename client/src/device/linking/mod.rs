//! A user's further device: it shows a code, an approver scans it, both show the same six digits,
//! and the person says yes on the approver.
//!
//! ```text
//! new device                              approver
//! start_linking ── QR code ─────────────▶ scan_linking
//! check_code    ◀── 1 hello ────────────  check_code        the person compares
//! complete      ─── 2 request ──────────▶ details           the person reads
//!               ◀── 3 grant ────────────  approve | decline
//! ```
//!
//! The service relays three messages that it can neither read nor change. What the new device joins
//! is the account of the fingerprint that came through this channel, and no other.

mod approval;
mod failure;
pub(super) mod grant;
mod pending;
mod relay;

pub use self::approval::{Approval, LinkingDetails};
pub use self::failure::LinkingFailure;
pub use self::pending::{LinkingCheck, PendingLinking};
