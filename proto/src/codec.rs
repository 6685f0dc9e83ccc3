//! The codec of every service: protobuf, with every message checked as it is decoded, so that no
//! handler meets a field that breaks its rule. A request of which a stream carries many is checked by
//! its handler: a bad one is answered for itself and does not end the stream.

use std::marker::PhantomData;

use prost::Message;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use crate::check::Validate;
use crate::error_info;

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
        item.encode(into).expect("the buffer grows as needed");
        Ok(())
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
}
