//! What the rules of a field's own kind make of it.

use bytes::Bytes;
use plasma_proto::options::v1::FieldRules;
use plasma_testkit::secret;
use prost_reflect::{DynamicMessage, Kind, ReflectMessage as _, Value};

use super::verdict::{OfBytes, of_bytes, of_edge, of_empty, of_longest, of_repeated, of_text};
use super::{Expect, Spoiled};
use crate::contract;
use crate::fixtures::Call;
use crate::place::Place;
use crate::world::fresh_id;

const MEBIBYTE: usize = 1_024 * 1_024;
const INJECTION: &str = "' OR 1=1 --%_";
/// Refused in every string: NUL, escape, delete, and what reorders or hides text.
const FORBIDDEN: [char; 7] =
    ['\0', '\u{1b}', '\u{7f}', '\u{85}', '\u{202e}', '\u{2066}', '\u{200f}'];

/// Spoils one field in every way of its kind.
pub(super) fn spoil(call: &Call, place: &Place) -> Vec<Spoiled> {
    let by = Spoiler { call, root: &call.message, place, rules: contract::rules(place.field()) };
    if place.is_list() {
        return by.list();
    }
    match place.field().kind() {
        Kind::String if !by.rules.id_prefix.is_empty() => by.id(),
        Kind::String => by.text(),
        Kind::Bytes => by.bytes(),
        Kind::Enum(_) => by.enumeration(),
        Kind::Message(inner) => match inner.full_name() {
            "google.protobuf.Duration" => by.duration(),
            "google.protobuf.Timestamp" => by.timestamp(),
            "google.protobuf.FieldMask" => by.field_mask(),
            _ => by.message(),
        },
        Kind::Bool => Vec::new(),
        _ => by.number(),
    }
}

struct Spoiler<'a> {
    call: &'a Call,
    root: &'a DynamicMessage,
    place: &'a Place,
    rules: FieldRules,
}

impl Spoiler<'_> {
    fn to(&self, what: &str, value: Value, expect: Expect) -> Spoiled {
        let name = format!("{} {what}", self.place.path());
        Spoiled { name, message: self.place.with(self.root, value), expect }
    }

    fn refused(&self, what: &str, value: Value) -> Spoiled {
        self.to(what, value, Expect::Field(self.place.path()))
    }

    /// An item of a list is never empty; a field of its own may be where it is not required.
    fn is_required(&self) -> bool {
        self.rules.required || self.place.is_item()
    }

    fn unset(&self, what: &str) -> Spoiled {
        let expect = if self.is_required() {
            Expect::Field(self.place.path())
        } else {
            of_empty(self.place, self.call)
        };
        let message = self.place.without(self.root);
        Spoiled { name: format!("{} {what}", self.place.path()), message, expect }
    }

    fn emptied(&self, empty: Value) -> Spoiled {
        if self.place.is_item() { self.refused("empty", empty) } else { self.unset("empty") }
    }

    fn id(&self) -> Vec<Spoiled> {
        let prefix = self.rules.id_prefix.as_str();
        let good = match self.place.get(self.root) {
            Value::String(text) if !text.is_empty() => text,
            _ => fresh_id(prefix),
        };
        let other = if prefix == "user" { "tenant" } else { "user" };
        let digits = good.rsplit_once('_').unwrap().1;
        let cases = [
            ("wrong prefix", good.replacen(prefix, other, 1)),
            ("without prefix", digits.to_owned()),
            ("nil", format!("{prefix}_{}", "0".repeat(26))),
            ("truncated", good[..good.len() - 1].to_owned()),
            ("too long", format!("{good}0")),
            ("upper case", good.to_uppercase()),
            ("upper-case digits", format!("{prefix}_{}", digits.to_uppercase() + "A")),
            ("overflow", format!("{prefix}_8{}", "0".repeat(25))),
            ("letter outside the alphabet", format!("{prefix}_{}", "u".repeat(26))),
            ("a bare UUID", "0190b3a4-7c5e-7000-8000-0123456789ab".to_owned()),
            ("with NUL", format!("{good}\0")),
            ("with an override", format!("{good}\u{202e}")),
            ("with white space", format!(" {good}")),
            ("injection", INJECTION.to_owned()),
            ("1 MiB", "a".repeat(MEBIBYTE)),
        ];
        let refused = cases.into_iter().map(|(what, id)| self.refused(what, Value::String(id)));
        refused.chain([self.emptied(Value::String(String::new()))]).collect()
    }

    fn text(&self) -> Vec<Spoiled> {
        let (min, max) = self.bounds();
        let mut found = vec![self.emptied(Value::String(String::new()))];
        let mut refuse = |what: &str, text| found.push(self.refused(what, Value::String(text)));
        if min > 1 {
            refuse("below the least length", "a".repeat(min - 1));
        }
        refuse("above the greatest length", "a".repeat(max + 1));
        refuse("above the greatest length in letters of two bytes", "é".repeat(max / 2 + 1));
        refuse("1 MiB", "a".repeat(MEBIBYTE));
        for letter in FORBIDDEN {
            // Of a length that is allowed, so that it is the letter that is refused.
            let rest = max.min(24.max(min)) - letter.len_utf8();
            let text = format!("{letter}{}", "a".repeat(rest));
            refuse(&format!("with U+{:04X}", u32::from(letter)), text);
        }
        let verdict = of_text(self.place);
        found.push(self.to("injection", Value::String(fit(INJECTION, min, max)), verdict));
        let unique = format!("{}{}", secret::name(), "a".repeat(max));
        found.push(self.to(
            "of the greatest length",
            Value::String(unique[..max].to_owned()),
            of_longest(self.place),
        ));
        found
    }

    fn bounds(&self) -> (usize, usize) {
        let bound = |number: u32| usize::try_from(number).unwrap();
        let (min, max) = (bound(self.rules.min_bytes), bound(self.rules.max_bytes));
        assert!(max > 0, "{} has no greatest length", self.place.path());
        (min, max)
    }

    fn bytes(&self) -> Vec<Spoiled> {
        let (min, max) = self.bounds();
        let value = self.place.get(self.root);
        let good = value.as_bytes().unwrap().clone();
        let bytes = |bytes: Vec<u8>| Value::Bytes(Bytes::from(bytes));
        let mut found = vec![self.emptied(bytes(Vec::new()))];
        found.push(self.refused("above the greatest length", bytes(vec![7; max + 1])));
        if min > 1 {
            found.push(self.refused("below the least length", bytes(vec![7; min - 1])));
        }
        let OfBytes { noise, cut, flipped } = of_bytes(self.place);
        let random: Vec<u8> = good.iter().map(|_| secret::bytes::<1>()[0]).collect();
        let mut changed = good.to_vec();
        *changed.last_mut().unwrap() ^= 1;
        found.push(self.to("noise", bytes(random), noise.clone()));
        found.push(self.to("cut short", bytes(good[..good.len() - 1].to_vec()), cut));
        found.push(self.to("changed in its last bit", bytes(changed), flipped));
        if max > good.len() {
            found.push(self.to("of the greatest length", bytes(vec![7; max]), noise.clone()));
            let longer = [&good[..], &[0]].concat();
            found.push(self.to("with a byte behind it", bytes(longer), noise));
        }
        found
    }

    fn number(&self) -> Vec<Spoiled> {
        let kind = self.place.field().kind();
        let (least, most) = match kind {
            Kind::Int32 | Kind::Sint32 => (i128::from(i32::MIN), i128::from(i32::MAX)),
            Kind::Uint32 => (0, i128::from(u32::MAX)),
            Kind::Uint64 => (0, i128::from(u64::MAX)),
            _ => (i128::from(i64::MIN), i128::from(i64::MAX)),
        };
        let min = self.rules.min.map_or(least, i128::from);
        let max = self.rules.max.map_or(most, i128::from);
        let mut numbers = vec![least, -1, 0, min - 1, min, max, max + 1, most];
        numbers.retain(|number| (least..=most).contains(number));
        numbers.sort_unstable();
        numbers.dedup();
        let value = |number: i128| match kind {
            Kind::Int32 | Kind::Sint32 => Value::I32(i32::try_from(number).unwrap()),
            Kind::Uint32 => Value::U32(u32::try_from(number).unwrap()),
            Kind::Uint64 => Value::U64(u64::try_from(number).unwrap()),
            _ => Value::I64(i64::try_from(number).unwrap()),
        };
        let judge = |number: i128| {
            let what = number.to_string();
            if !(min..=max).contains(&number) {
                return self.refused(&what, value(number));
            }
            let edge = i64::try_from(number).unwrap_or(i64::MAX);
            self.to(&what, value(number), of_edge(self.place, edge))
        };
        numbers.into_iter().map(judge).collect()
    }

    fn enumeration(&self) -> Vec<Spoiled> {
        let mut numbers = vec![99, -1, i32::MIN, i32::MAX];
        if self.is_required() {
            numbers.push(0);
        }
        let refuse = |number: i32| self.refused(&number.to_string(), Value::EnumNumber(number));
        numbers.into_iter().map(refuse).collect()
    }

    fn message(&self) -> Vec<Spoiled> {
        if let Some(oneof) = self.place.field().containing_oneof() {
            let path = self.place.sibling_path(oneof.name());
            assert!(contract::is_required(&oneof), "{path} may be unset: say what must come of it");
            let message = self.place.without(self.root);
            return vec![Spoiled {
                name: format!("{path} unset"),
                message,
                expect: Expect::Field(path),
            }];
        }
        if self.place.is_item() { Vec::new() } else { vec![self.unset("unset")] }
    }

    fn list(&self) -> Vec<Spoiled> {
        let value = self.place.get(self.root);
        let items = value.as_list().unwrap();
        let max = match self.rules.max_items {
            0 => 100,
            max => usize::try_from(max).unwrap(),
        };
        let mut found = vec![self.unset("without items")];
        let many = vec![items[0].clone(); max + 1];
        found.push(self.refused("with an item too many", Value::List(many)));
        let twice = Value::List(items.iter().chain([&items[0]]).cloned().collect());
        // A list that is full already says so before it says that an item is there twice.
        let expect = if self.rules.unique || items.len() == max {
            Expect::Field(self.place.path())
        } else {
            of_repeated(self.place, items.len())
        };
        found.push(self.to("with an item twice", twice, expect));
        found
    }

    fn duration(&self) -> Vec<Spoiled> {
        let (min, max) = (self.rules.min_seconds.unwrap(), self.rules.max_seconds.unwrap());
        let mut found = vec![self.unset("unset")];
        let bad = [
            (min - 1, 0),
            (max + 1, 0),
            (max, 1),
            (i64::MIN, 0),
            (i64::MAX, 0),
            (min, -1),
            (min, 1_000_000_000),
            (min, i32::MIN),
        ];
        found.extend(bad.map(|(seconds, nanos)| {
            self.refused(&format!("{seconds} s {nanos} ns"), self.clock(seconds, nanos))
        }));
        found
    }

    fn timestamp(&self) -> Vec<Spoiled> {
        let bad = [
            (253_402_300_800, 0),
            (-62_135_596_801, 0),
            (i64::MIN, 0),
            (i64::MAX, 0),
            (0, -1),
            (0, 1_000_000_000),
        ];
        let refuse = |(seconds, nanos)| {
            self.refused(&format!("{seconds} s {nanos} ns"), self.clock(seconds, nanos))
        };
        bad.into_iter().map(refuse).chain([self.unset("unset")]).collect()
    }

    /// A duration or a timestamp, which have the same fields.
    fn clock(&self, seconds: i64, nanos: i32) -> Value {
        let Kind::Message(kind) = self.place.field().kind() else { panic!("no message") };
        let mut value = DynamicMessage::new(kind);
        value.set_field_by_name("seconds", Value::I64(seconds));
        value.set_field_by_name("nanos", Value::I32(nanos));
        Value::Message(value)
    }

    fn field_mask(&self) -> Vec<Spoiled> {
        let value = self.place.get(self.root);
        let descriptor = value.as_message().unwrap().descriptor();
        let mask = |paths: &[&str]| {
            let mut mask = DynamicMessage::new(descriptor.clone());
            let paths = paths.iter().map(|path| Value::String((*path).to_owned())).collect();
            mask.set_field_by_name("paths", Value::List(paths));
            Value::Message(mask)
        };
        let many: Vec<String> = (0..33).map(|number| format!("field_{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let long = "a".repeat(MEBIBYTE);
        let cases: [(&str, &[&str]); 9] = [
            ("without paths", &[]),
            ("with 33 paths", &many),
            ("with a path twice", &["display_name", "display_name"]),
            ("with an unknown path", &["state"]),
            ("with an empty path", &[""]),
            ("with a path inside", &["policy.access_mode"]),
            ("with a wildcard", &["*"]),
            ("injection", &[INJECTION]),
            ("1 MiB", &[&long]),
        ];
        let refused = cases.map(|(what, paths)| self.refused(what, mask(paths)));
        refused.into_iter().chain([self.unset("unset")]).collect()
    }
}

/// A text made to fit, and different each time where there is room.
fn fit(text: &str, min: usize, max: usize) -> String {
    let unique = format!("{text}{}{}", secret::name(), "'".repeat(min));
    unique[..unique.len().min(max)].to_owned()
}
