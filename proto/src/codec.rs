//! The codec of every service: protobuf, with every message checked as it is decoded, so that no
//! handler meets a field that breaks its rule. A request of which a stream carries many is checked by
//! its handler: a bad one is answered for itself and does not end the stream.

use std::marker::PhantomData;

use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use crate::check::Validate;
use crate::error_info;

/// What a call or stream allocates before there is anything to write: room for a short answer. A
/// stream that does nothing keeps its buffers, and thousands are open at once.
const WRITE_BUFFER: usize = 128;
/// The same before there is anything to read: nothing. What arrives is of known length.
const READ_BUFFER: usize = 0;
/// Encoded messages that are ready together go into one frame up to this length.
const FRAME_LENGTH: usize = 32 * 1024;

/// Encodes `T` and decodes and checks `U`.
#[derive(Debug)]
pub struct PlasmaCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for PlasmaCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for PlasmaCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Validate + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = PlasmaEncoder<T>;
    type Decoder = PlasmaDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        PlasmaEncoder(PhantomData)
    }

    fn decoder(&mut self) -> Self::Decoder {
        PlasmaDecoder(PhantomData)
    }
}

/// Encodes a message.
#[derive(Debug)]
pub struct PlasmaEncoder<T>(PhantomData<T>);

impl<T: Message> Encoder for PlasmaEncoder<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, item: T, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.reserve(item.encoded_len());
        item.encode(into).expect("the buffer grows as needed");
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(WRITE_BUFFER, FRAME_LENGTH)
    }
}

/// Decodes and checks a message.
#[derive(Debug)]
pub struct PlasmaDecoder<U>(PhantomData<U>);

impl<U: Message + Default + Validate> Decoder for PlasmaDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let message = U::decode(from).map_err(|_| error_info::malformed_request())?;
        if !U::IS_STREAMED {
            message.validate().map_err(|violation| error_info::invalid_field(&violation))?;
        }
        Ok(Some(message))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(READ_BUFFER, FRAME_LENGTH)
    }
}
