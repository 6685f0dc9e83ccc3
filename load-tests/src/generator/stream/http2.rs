//! As much of HTTP/2 (RFC 9113) as one stream of one connection needs.

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, Bytes, BytesMut};

/// The client's first stream.
const STREAM: u32 = 1;
const HEAD_LENGTH: usize = 9;
/// A frame may carry this much where nothing else was agreed on.
const PAYLOAD_MAX: usize = 16_384;
/// Windows so large that credit is hardly ever sent back while a window is measured.
const RECEIVE_WINDOW: u32 = 1 << 30;
/// Credit that is sent back when this much was received.
const RECEIVED_MAX: u32 = 1 << 29;
/// What a connection and a stream may send where nothing else was said.
const SEND_WINDOW: i64 = 65_535;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

const ENABLE_PUSH: u16 = 2;
const INITIAL_WINDOW_SIZE: u16 = 4;

/// Writes the head of a frame, then its payload.
fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    out.extend_from_slice(&length[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// Writes a header as one that no table holds.
fn header(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(0);
    for text in [name, value] {
        // The first byte holds a length of up to 126.
        if text.len() < 127 {
            out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        } else {
            out.push(127);
            let mut rest = text.len() - 127;
            while rest >= 128 {
                out.push(0x80 | u8::try_from(rest & 0x7f).unwrap_or_default());
                rest >>= 7;
            }
            out.push(u8::try_from(rest).unwrap_or_default());
        }
        out.extend_from_slice(text.as_bytes());
    }
}

/// What a client says first: its settings, and the head of its only call.
pub(super) fn opening(authority: &str, path: &str, bearer: &str) -> Vec<u8> {
    let mut settings = Vec::new();
    for (name, value) in [(ENABLE_PUSH, 0), (INITIAL_WINDOW_SIZE, RECEIVE_WINDOW)] {
        settings.extend_from_slice(&name.to_be_bytes());
        settings.extend_from_slice(&value.to_be_bytes());
    }
    let mut headers = Vec::new();
    header(&mut headers, ":method", "POST");
    header(&mut headers, ":scheme", "http");
    header(&mut headers, ":path", path);
    header(&mut headers, ":authority", authority);
    header(&mut headers, "content-type", "application/grpc");
    header(&mut headers, "te", "trailers");
    header(&mut headers, "authorization", &format!("Bearer {bearer}"));
    let mut out = PREFACE.to_vec();
    frame(&mut out, SETTINGS, 0, 0, &settings);
    frame(&mut out, WINDOW_UPDATE, 0, 0, &(RECEIVE_WINDOW - 65_535).to_be_bytes());
    frame(&mut out, HEADERS, END_HEADERS, STREAM, &headers);
    out
}

/// Both directions of the stream: what may be sent when, and what was received.
#[derive(Debug)]
pub(super) struct Exchange {
    connection_credit: i64,
    stream_credit: i64,
    initial_window: i64,
    received: u32,
}

impl Default for Exchange {
    fn default() -> Self {
        Self {
            connection_credit: SEND_WINDOW,
            stream_credit: SEND_WINDOW,
            initial_window: SEND_WINDOW,
            received: 0,
        }
    }
}

impl Exchange {
    /// Writes a message, if the server has room for it.
    pub(super) fn send(&mut self, message: &[u8], out: &mut Vec<u8>) -> bool {
        let length = i64::try_from(message.len()).unwrap_or(i64::MAX);
        if message.len() > PAYLOAD_MAX || length > self.connection_credit.min(self.stream_credit) {
            return false;
        }
        self.connection_credit -= length;
        self.stream_credit -= length;
        frame(out, DATA, 0, STREAM, message);
        true
    }

    /// Takes the frames that are complete: answers what must be answered, and gives what was sent
    /// on the stream to `each`.
    pub(super) fn receive(
        &mut self,
        input: &mut BytesMut,
        out: &mut Vec<u8>,
        mut each: impl FnMut(Bytes) -> Result<()>,
    ) -> Result<()> {
        while let Some(head) = input.first_chunk::<HEAD_LENGTH>() {
            let &[high, middle, low, kind, flags, ..] = head;
            let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
            if input.len() < HEAD_LENGTH + length {
                break;
            }
            let on_connection = head[5..] == [0; 4];
            input.advance(HEAD_LENGTH);
            let mut payload = input.split_to(length).freeze();
            match kind {
                DATA => {
                    ensure!(flags & PADDED == 0, "the server pads what it sends");
                    self.received += u32::try_from(length)?;
                    each(payload)?;
                    ensure!(flags & END_STREAM == 0, "the server ended the stream");
                }
                HEADERS => ensure!(flags & END_STREAM == 0, "the server ended the call"),
                RST_STREAM => bail!("the server reset the stream"),
                GOAWAY => bail!("the server closes the connection"),
                SETTINGS if flags & ACK == 0 => {
                    self.settings(payload)?;
                    frame(out, SETTINGS, ACK, 0, &[]);
                }
                PING if flags & ACK == 0 => frame(out, PING, ACK, 0, &payload),
                WINDOW_UPDATE => {
                    let more = payload.try_get_u32().context("a window's credit")?;
                    let credit = if on_connection {
                        &mut self.connection_credit
                    } else {
                        &mut self.stream_credit
                    };
                    *credit += i64::from(more);
                }
                _ => {}
            }
        }
        if self.received > RECEIVED_MAX {
            for stream in [0, STREAM] {
                frame(out, WINDOW_UPDATE, 0, stream, &self.received.to_be_bytes());
            }
            self.received = 0;
        }
        Ok(())
    }

    fn settings(&mut self, mut payload: Bytes) -> Result<()> {
        while !payload.is_empty() {
            let name = payload.try_get_u16().context("a setting's name")?;
            let value = payload.try_get_u32().context("a setting's value")?;
            if name == INITIAL_WINDOW_SIZE {
                self.stream_credit += i64::from(value) - self.initial_window;
                self.initial_window = value.into();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::{
        ACK, DATA, END_STREAM, Exchange, HEADERS, INITIAL_WINDOW_SIZE, SETTINGS, WINDOW_UPDATE,
        frame, header,
    };

    fn received(exchange: &mut Exchange, bytes: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
        let (mut out, mut messages) = (Vec::new(), Vec::new());
        let mut input = BytesMut::from(bytes);
        exchange
            .receive(&mut input, &mut out, |message| {
                messages.push(message.to_vec());
                Ok(())
            })
            .unwrap();
        assert!(input.is_empty());
        (out, messages)
    }

    #[test]
    fn nothing_is_sent_beyond_what_the_server_has_room_for() {
        let mut exchange = Exchange::default();
        let (message, mut out) = (vec![1; 16_000], Vec::new());
        for _ in 0..4 {
            assert!(exchange.send(&message, &mut out));
        }
        assert!(!exchange.send(&message, &mut out));
        let mut more = Vec::new();
        let mut setting = INITIAL_WINDOW_SIZE.to_be_bytes().to_vec();
        setting.extend_from_slice(&100_000_u32.to_be_bytes());
        frame(&mut more, SETTINGS, 0, 0, &setting);
        let (answer, _) = received(&mut exchange, &more);
        assert_eq!(answer[3..5], [SETTINGS, ACK]);
        assert!(!exchange.send(&message, &mut out), "the connection has no room yet");
        let mut more = Vec::new();
        frame(&mut more, WINDOW_UPDATE, 0, 0, &50_000_u32.to_be_bytes());
        received(&mut exchange, &more);
        assert!(exchange.send(&message, &mut out));
    }

    #[test]
    fn what_arrives_in_parts_is_taken_when_it_is_whole() {
        let mut exchange = Exchange::default();
        let mut whole = Vec::new();
        frame(&mut whole, DATA, 0, 1, b"message");
        let (mut input, mut out) = (BytesMut::new(), Vec::new());
        let mut messages = 0;
        for byte in whole {
            input.extend_from_slice(&[byte]);
            exchange
                .receive(&mut input, &mut out, |message| {
                    assert_eq!(&message[..], b"message");
                    messages += 1;
                    Ok(())
                })
                .unwrap();
        }
        assert_eq!(messages, 1);
    }

    #[test]
    fn the_end_of_a_call_is_an_error() {
        let mut end = Vec::new();
        frame(&mut end, HEADERS, END_STREAM, 1, b"");
        let mut input = BytesMut::from(&end[..]);
        let mut exchange = Exchange::default();
        assert!(exchange.receive(&mut input, &mut Vec::new(), |_| Ok(())).is_err());
    }

    #[test]
    fn long_headers_have_long_lengths() {
        let mut out = Vec::new();
        header(&mut out, "a", &"b".repeat(127 + 128 + 3));
        assert_eq!(out[..6], [0, 1, b'a', 127, 0x83, 1]);
    }
}
