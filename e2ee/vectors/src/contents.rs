//! What clients put inside the encryption, encoded and padded: `plasma.content.v1.Content`.

use plasma_e2ee::{pad, unpad};
use plasma_proto::content::v1::{Content, content::Body};
use prost::Message as _;
use serde_json::Value;

use crate::account::NOW;
use crate::bare;
use crate::fields::Fields;
use crate::json::Json;

/// A field of a protocol buffer message. Fields that have their default value are left out.
struct Field {
    name: String,
    number: u32,
    value: FieldValue,
}

enum FieldValue {
    Varint(u64),
    Bytes(Vec<u8>),
    Text(String),
    Message(Vec<Field>),
}

fn field(name: &str, number: u32, value: FieldValue) -> Field {
    Field { name: name.to_owned(), number, value }
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            out.push(low);
            return out;
        }
        out.push(low | 0x80);
    }
}

impl Field {
    fn encode(&self) -> Vec<u8> {
        let key = |kind| varint(u64::from(self.number) << 3 | kind);
        let delimited = |bytes: &[u8]| {
            let length = varint(u64::try_from(bytes.len()).expect("a short field"));
            [key(2), length, bytes.to_vec()].concat()
        };
        match &self.value {
            FieldValue::Varint(number) => [key(0), varint(*number)].concat(),
            FieldValue::Bytes(bytes) => delimited(bytes),
            FieldValue::Text(text) => delimited(text.as_bytes()),
            FieldValue::Message(fields) => delimited(&encode(fields)),
        }
    }

    fn json(&self) -> Json {
        let value = match &self.value {
            FieldValue::Varint(number) => ("varint", (*number).into()),
            FieldValue::Bytes(bytes) => ("bytes", bytes.into()),
            FieldValue::Text(text) => ("text", text.as_str().into()),
            FieldValue::Message(fields) => ("message", json(fields)),
        };
        Json::from([("name", self.name.as_str().into()), ("number", self.number.into()), value])
    }

    fn read(file: &Value) -> Self {
        let value = if file.get("varint").is_some() {
            FieldValue::Varint(file.number("varint"))
        } else if file.get("bytes").is_some() {
            FieldValue::Bytes(file.bytes("bytes"))
        } else if file.get("text").is_some() {
            FieldValue::Text(file.text("text").to_owned())
        } else {
            FieldValue::Message(file.list("message").iter().map(Self::read).collect())
        };
        field(file.text("name"), file.number32("number"), value)
    }
}

fn encode(fields: &[Field]) -> Vec<u8> {
    fields.iter().flat_map(Field::encode).collect()
}

fn json(fields: &[Field]) -> Json {
    Json::List(fields.iter().map(Field::json).collect())
}

fn time(name: &str, number: u32) -> Field {
    let fields = vec![
        field("seconds", 1, FieldValue::Varint(NOW)),
        field("nanos", 2, FieldValue::Varint(500_000_000)),
    ];
    field(name, number, FieldValue::Message(fields))
}

fn reference(name: &str, number: u32) -> Field {
    let sender = [[0xa0; 16], [0x02; 16], [0xd2; 16]].concat();
    let fields = vec![
        field("sender", 1, FieldValue::Bytes(sender)),
        field("message_id", 2, FieldValue::Bytes(vec![0x33; 16])),
    ];
    field(name, number, FieldValue::Message(fields))
}

/// A content with a body; what is counted and placed in a chat has a Lamport number.
fn content(body: &str, number: u32, lamport: Option<u64>, fields: Vec<Field>) -> Vec<Field> {
    let mut all = Vec::new();
    // What belongs to no chat names none.
    if !matches!(body, "device_name" | "account_settings") {
        all.push(field("chat_id", 1, FieldValue::Bytes(vec![0x11; 16])));
    }
    all.push(field("message_id", 2, FieldValue::Bytes(vec![0x22; 16])));
    all.extend(lamport.map(|number| field("lamport", 3, FieldValue::Varint(number))));
    all.push(time("write_time", 4));
    all.push(field(body, number, FieldValue::Message(fields)));
    all
}

fn bodies() -> Vec<Vec<Field>> {
    use FieldValue::{Bytes, Text, Varint};

    let text = |text: &str| Text(text.to_owned());
    let device_name = vec![
        field("device_id", 1, Bytes(vec![0xd1; 16])),
        field("name", 2, text("Anna's tablet")),
        time("set_time", 3),
    ];
    let forwarded = encode(&content("text", 5, Some(7), vec![field("body", 1, text("hello"))]));
    let forward = vec![
        field("sender", 1, Bytes([[0xa0; 16], [0x02; 16], [0xd2; 16]].concat())),
        field("content", 2, Bytes(forwarded)),
    ];
    let chat_settings = vec![time("mute_until", 1), time("set_time", 2)];
    let account_settings = vec![field("send_read_receipts", 1, Varint(1)), time("set_time", 2)];
    let answer = vec![
        field("body", 1, text("Grüße, 世界")),
        reference("reply_to", 2),
        field("disappear_after_seconds", 3, Varint(86_400)),
    ];
    vec![
        content("text", 5, Some(1), vec![field("body", 1, text("hello"))]),
        content("text", 5, Some(1 << 53), answer),
        content("receipt", 6, None, vec![field("kind", 1, Varint(2)), reference("messages", 2)]),
        content("typing", 7, None, vec![field("active", 1, Varint(1))]),
        content(
            "reaction",
            8,
            Some(2),
            vec![reference("message", 1), field("emoji", 2, text("👍"))],
        ),
        content("edit", 9, Some(3), vec![reference("message", 1), field("body", 2, text("hi"))]),
        content("deletion", 10, Some(4), vec![reference("message", 1)]),
        content("disappearing_timer", 11, Some(5), vec![field("seconds", 1, Varint(604_800))]),
        content("forward", 12, None, forward),
        content("device_name", 13, None, device_name),
        content("chat_settings", 14, None, chat_settings),
        content("account_settings", 15, None, account_settings),
    ]
}

fn trace(fields: &[Field]) -> Json {
    let encoded = encode(fields);
    let padded = bare::pad(&encoded);
    Json::from([
        ("fields", json(fields)),
        ("encoded", (&encoded).into()),
        ("padded", (&padded).into()),
    ])
}

/// Lengths around every change of the padding's step, and what is padded to them.
fn lengths() -> Json {
    let lengths = [0, 1, 127, 128, 1_023, 1_024, 8_191, 8_192, 65_535];
    Json::List(lengths.map(padded_length).to_vec())
}

fn padded_length(length: u32) -> Json {
    let content = vec![0; usize::try_from(length).expect("a short content")];
    let padded = u32::try_from(bare::pad(&content).len()).expect("a short content");
    Json::from([("length", length.into()), ("padded_length", padded.into())])
}

/// A content with each body.
pub fn make() -> Json {
    let contents: Vec<Json> = bodies().iter().map(|fields| trace(fields)).collect();
    Json::from([
        ("description", "Contents and their padding, section 7.".into()),
        ("padding", lengths()),
        ("contents", contents.into()),
    ])
}

/// Encodes every content from its fields, and lets the implementation read it.
pub fn replay(file: &Value) {
    for read in file.list("padding") {
        padded_length(read.number32("length")).expect(read, "padding");
        let length = usize::try_from(read.number("length")).expect("a short content");
        let mut padded = Vec::new();
        pad(&vec![0; length], &mut padded).expect("a short content");
        assert_eq!(u64::try_from(padded.len()), Ok(read.number("padded_length")));
    }
    for (position, read) in file.list("contents").iter().enumerate() {
        let fields: Vec<Field> = read.list("fields").iter().map(Field::read).collect();
        trace(&fields).expect(read, &format!("contents[{position}]"));
        let (encoded, padded) = (read.bytes("encoded"), read.bytes("padded"));
        assert_eq!(unpad(&padded), Ok(&encoded[..]));
        let content = Content::decode(&encoded[..]).expect("a content");
        assert_eq!(content.encode_to_vec(), encoded, "a field is unknown or out of order");
        let body = content.body.expect("a body");
        assert_eq!(fields.last().map(|field| field.name.as_str()), Some(name_of(&body)));
    }
}

fn name_of(body: &Body) -> &'static str {
    match body {
        Body::Text(_) => "text",
        Body::Receipt(_) => "receipt",
        Body::Typing(_) => "typing",
        Body::Reaction(_) => "reaction",
        Body::Edit(_) => "edit",
        Body::Deletion(_) => "deletion",
        Body::DisappearingTimer(_) => "disappearing_timer",
        Body::Forward(_) => "forward",
        Body::DeviceName(_) => "device_name",
        Body::ChatSettings(_) => "chat_settings",
        Body::AccountSettings(_) => "account_settings",
    }
}
