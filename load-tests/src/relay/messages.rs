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

/// Acknowledges a delivery.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct AcknowledgeRequest {
    /// The envelope.
    #[prost(string, tag = "1")]
    pub envelope_id: String,
}

/// The acknowledgement was taken.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct AcknowledgeResponse {}
