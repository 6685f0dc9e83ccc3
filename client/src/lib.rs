//! Everything that one device of a user does: keys, sessions, chats, sending and listening.
//!
//! Owns the device's memory ([`Store`], `SQLite`), the connection to the service, and the order in
//! which both are used: what is sent is kept first, what is received is saved before it is
//! acknowledged, and nothing is believed that the encryption does not authenticate. Does **not**
//! own cryptography (`plasma-e2ee`), the rules of identity (`plasma-identity`) or the contract
//! (`plasma-proto`), and draws nothing on a screen.
//!
//! # A device's life
//!
//! ```text
//! let bob  = Device::register_first(&endpoint, Store::open(path)?, tenant, platform_token).await?;
//! let link = bob.create_link().await?;                 // https://…/c/<token>#<fingerprint>
//!
//! let resolved = ann.resolve(&link).await?;            // who, on which platform, at what price
//! let opened   = ann.open_chat(&resolved, accept(&resolved.quote)).await?;
//! ann.send_text(opened.chat.id, "hello").await?;       // for each device: delivered or stored
//!
//! let mut events = bob.receive();
//! while let Some(event) = events.next().await { … }    // Message, QueueEmpty, IdentityChanged …
//! ```

#[cfg(plasma_toy_primitives)]
compile_error!("toy primitives protect nothing: they are for tests of the protocol alone");

mod charge_proof;
mod connection;
mod contact_link;
mod content;
mod device;
mod env;
mod error;
mod event;
mod id;
mod message;
mod not_shown;
pub mod qr;
mod reason;
mod receive;
mod repair;
mod store;
#[cfg(test)]
mod testing;
pub mod wire;

pub use charge_proof::{ChargeProofError, check_charge_proof, read_checkpoint};
pub use connection::Endpoint;
pub use contact_link::ContactLink;
pub use device::{
    Approval, Device, LinkingCheck, LinkingDetails, LinkingFailure, Offer, OpenChat, OwnDevice,
    PendingLinking, PendingReset, Purchased, Resolved, Trust, accept, accept_without_trial,
};
pub use env::Env;
pub use error::{AccessNeeded, Error, RecoveryFailure, ResetNotDue, ServiceError};
pub use event::{Event, StopCause};
pub use id::{ChatId, MessageId};
pub use message::{
    ChatOverview, Delivery, Direction, Message, MessageRef, MessageState, Reaction, SendReport,
};
pub use not_shown::{NotShown, Repair, Undecryptable};
pub use plasma_e2ee::RecoveryKey;
pub use plasma_identity::{SafetyComparison, SafetyMismatch, SafetyNumber};
pub use plasma_proof::{CheckpointKey, ProvedCharge};
pub use plasma_proto::messaging::v1::{DeliveryState, ReportCategory};
pub use reason::UndecryptableReason;
pub use receive::{Events, Pulled};
pub use store::chats::KnownChat;
pub use store::{Store, StoreError};
pub use uuid::Uuid;
