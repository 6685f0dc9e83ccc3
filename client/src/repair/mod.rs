//! Repair: two devices that have lost each other find back by themselves.
//!
//! Owns what happens when an envelope cannot be opened although both sides are honest: the
//! receiver asks for it once more (`ask`), the sender leaves the broken session and sends what its
//! log has (`follow`), both through one outbox of control messages (`deliver`). An own device that
//! a sender had not seen yet gets what it missed (`forward`). A device that was put back from a
//! backup starts anew with everybody (`restore`). Does **not** own the sessions and the signatures
//! of retry requests (`plasma-e2ee`), opening envelopes (`receive`) or the log itself
//! (`store::sent_log`).
//!
//! Nothing here can run in circles: an envelope is asked for once and answered once, a message is
//! sent again to a device three times, a session is left for a request once an hour, and a device
//! is asked 20 times an hour. The bytes and checks of a request are specified in
//! `docs/PROTOCOL.md`, section 13.

mod ask;
mod deliver;
mod errands;
mod follow;
mod forward;
mod restore;
#[cfg(test)]
mod tests;

pub(crate) use self::ask::is_repairable;
pub(crate) use self::errands::Errands;
