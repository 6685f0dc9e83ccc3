//! A load of relayed messages, from a generator that is leaner than a gRPC client.
//!
//! Every device has an HTTP/2 connection of its own (`h2` itself), which carries its stream, its
//! sends and its acknowledgements. Requests are encoded before the load begins, and answers are
//! looked at where they lie. A fixed number of messages is in flight (closed loop): each is sent,
//! awaited on the receiver's stream, acknowledged there, and done when both calls are answered.
//! One thread does it all.

mod connection;
mod drain;
mod latency;
mod load;
mod order;
mod pace;
mod post;
mod protocol;
mod running;
mod slots;
mod stream;
pub(crate) mod wire;

pub use drain::drain;
pub use latency::Quantiles;
pub use load::Load;
pub use pace::Pace;
pub use post::Post;
pub use protocol::{BareProtocol, Mark, PlasmaProtocol, Protocol, Sent, StreamProtocol};
pub use running::{Running, Tally};
pub use stream::StreamLoad;

/// Bytes of ciphertext of each message.
pub const CIPHERTEXT_LENGTH: usize = 1024;
