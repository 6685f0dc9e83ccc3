//! What the bare relay speaks: what a message needs to reach its device, and no more.

use bytes::Bytes;

/// Sends one ciphertext to one device.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SendRequest {
    /// The device to deliver to.
    #[prost(string, tag = "1")]
    pub device_id: String,
    /// Names the envelope, for the acknowledgement.
    #[prost(string, tag = "2")]
    pub envelope_id: String,
    /// What is delivered.
    #[prost(bytes = "bytes", tag = "3")]
    pub ciphertext: Bytes,
}

/// The envelope is on its way.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct SendResponse {}

/// Opens the stream of a device.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ReceiveRequest {
    /// The device.
    #[prost(string, tag = "1")]
    pub device_id: String,
}

/// A delivery.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Envelope {
    /// Names the envelope.
    #[prost(string, tag = "1")]
    pub envelope_id: String,
    /// What was sent.
    #[prost(bytes = "bytes", tag = "2")]
    pub ciphertext: Bytes,
}

/// Acknowledges deliveries.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct AcknowledgeRequest {
    /// The envelopes.
    #[prost(string, repeated, tag = "1")]
    pub envelope_ids: Vec<String>,
}

/// The acknowledgement was taken.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct AcknowledgeResponse {}

/// One thing that a device says on its stream of both directions.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ConnectRequest {
    /// What it says.
    #[prost(oneof = "Call", tags = "1, 2, 3")]
    pub call: Option<Call>,
}

/// What a device says.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum Call {
    /// Which device it is; comes first, and is answered as the send 0 is.
    #[prost(message, tag = "1")]
    Open(ReceiveRequest),
    /// A send, answered with [`Sent`].
    #[prost(message, tag = "2")]
    Send(ConnectSend),
    /// Acknowledgements, not answered.
    #[prost(message, tag = "3")]
    Acknowledge(AcknowledgeRequest),
}

/// A send on a stream.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ConnectSend {
    /// Comes back in the answer.
    #[prost(uint64, tag = "1")]
    pub call_id: u64,
    /// What is sent.
    #[prost(message, optional, tag = "2")]
    pub send: Option<SendRequest>,
}

/// One thing that the relay says on a stream of both directions.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ConnectResponse {
    /// What it says.
    #[prost(oneof = "ConnectEvent", tags = "1, 2")]
    pub event: Option<ConnectEvent>,
}

/// What the relay says.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum ConnectEvent {
    /// A delivery.
    #[prost(message, tag = "1")]
    Envelope(Envelope),
    /// A send is on its way.
    #[prost(message, tag = "2")]
    Sent(Sent),
}

/// The answer to a send on a stream.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Sent {
    /// Of the send.
    #[prost(uint64, tag = "1")]
    pub call_id: u64,
}
