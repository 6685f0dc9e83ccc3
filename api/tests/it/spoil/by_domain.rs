//! Combinations that each field's own rule allows and that are wrong together or by their meaning.

use plasma_proto::error::v1::ErrorReason;
use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};
use tonic::Code;

use super::{Expect, Spoiled};
use crate::place::{self, Place};
use crate::world::fresh_id;

/// Three bytes each, as the rule wants, and no currency that an amount can be in.
const NO_CURRENCIES: [&str; 7] = ["XXX", "eur", "Eur", "ZZZ", "XAU", "XTS", "é1"];

/// Spoils a request in the ways that its fields' meanings forbid.
pub(super) fn spoil(request: &DynamicMessage) -> Vec<Spoiled> {
    let mut found = Vec::new();
    for place in place::all(request) {
        if place.field().name() == "currency_code" {
            found.extend(NO_CURRENCIES.map(|code| {
                change(request, &place, code, Value::String(code.to_owned()), refused(&place))
            }));
            let four = Value::String("EURO".to_owned());
            found.push(change(request, &place, "EURO", four, refused(&place)));
        }
        if place.field().name() == "page_token" {
            let good = place.get(request).as_str().unwrap().to_owned();
            found.extend(forged(&good).map(|(what, token)| {
                change(request, &place, what, Value::String(token), refused(&place))
            }));
        }
    }
    found.extend(match request.descriptor().name() {
        "PublishPriceRequest" | "CreatePriceDraftRequest" | "UpdatePriceDraftRequest" => {
            of_definition(request)
        }
        "AdvanceClockRequest" => of_advance(request),
        "GetStatementRequest"
        | "GetRevenueRequest"
        | "ListTransactionsRequest"
        | "SimulatePricesRequest"
        | "ExportCsvRequest" => of_statement(request),
        "OpenChatRequest" | "PurchaseAccessRequest" => of_acceptance(request),
        _ => Vec::new(),
    });
    found
}

fn refused(place: &Place) -> Expect {
    Expect::Field(place.path())
}

fn change(
    request: &DynamicMessage,
    place: &Place,
    what: &str,
    value: Value,
    expect: Expect,
) -> Spoiled {
    let name = format!("{} {what}", place.path());
    Spoiled { name, message: place.with(request, value), expect }
}

fn named(request: &DynamicMessage, path: &str) -> Place {
    let places = place::all(request);
    places.into_iter().find(|place| place.path() == path).unwrap()
}

/// Tokens that the service never made, near to one that it made.
fn forged(good: &str) -> [(&'static str, String); 4] {
    let other = if good.starts_with('A') { "B" } else { "A" };
    [
        ("with another beginning", format!("{other}{}", &good[1..])),
        ("cut short", good[..good.len() - 1].to_owned()),
        ("doubled", format!("{good}{good}")),
        ("of zeros", "A".repeat(good.len())),
    ]
}

fn of_definition(request: &DynamicMessage) -> Vec<Spoiled> {
    let target = |name: &str| named(request, &format!("definition.target.{name}"));
    let shares = named(request, "definition.shares.platform_basis_points");
    let expect = Expect::Field("definition.shares".to_owned());
    let mut found = vec![change(request, &shares, "1 too many", Value::U32(2_001), expect)];
    let scope = target("scope");
    // Another scope, with which a recipient is missing or too much.
    let other = match scope.get(request).as_enum_number() {
        Some(1 | 3) => 2,
        Some(2) => 1,
        _ => 3,
    };
    let expect = refused(&target("recipient_user_id"));
    found.push(change(request, &scope, "another one", Value::EnumNumber(other), expect));
    for (name, prefix) in
        [("recipient_user_id", "user"), ("payer_user_id", "user"), ("payer_group_id", "payergroup")]
    {
        let place = target(name);
        if place.get(request) != Value::String(String::new()) {
            let absent = Value::String(fresh_id(prefix));
            let expect = Expect::Refused(Code::NotFound, ErrorReason::NotFound);
            found.push(change(request, &place, "absent", absent, expect));
        }
    }
    found
}

/// A time that was, and one that is too far: 800 days after a good one.
fn of_advance(request: &DynamicMessage) -> Vec<Spoiled> {
    let time = named(request, "time");
    let Value::Message(good) = time.get(request) else { panic!("no message") };
    let seconds = good.get_field_by_name("seconds").unwrap().as_i64().unwrap();
    let at = |seconds| {
        let mut bad = good.clone();
        bad.set_field_by_name("seconds", Value::I64(seconds));
        Value::Message(bad)
    };
    vec![
        change(request, &time, "past", at(1_700_000_000), refused(&time)),
        change(request, &time, "too far", at(seconds + 800 * 86_400), refused(&time)),
    ]
}

fn of_statement(request: &DynamicMessage) -> Vec<Spoiled> {
    let (start, end) = (named(request, "start_time"), named(request, "end_time"));
    let (from, to) = (start.get(request), end.get(request));
    let turned = end.with(&start.with(request, to.clone()), from);
    let same = start.with(request, to);
    let field = || Expect::Field("start_time".to_owned());
    vec![
        Spoiled { name: "the end before the start".to_owned(), message: turned, expect: field() },
        Spoiled { name: "the end at the start".to_owned(), message: same, expect: field() },
    ]
}

fn of_acceptance(request: &DynamicMessage) -> Vec<Spoiled> {
    let changed = || Expect::Refused(Code::FailedPrecondition, ErrorReason::PriceChanged);
    let price = named(request, "accepted_price.price_id");
    let number = named(request, "accepted_price.amount.minor_units");
    let currency = named(request, "accepted_price.amount.currency_code");
    let less = Value::I64(number.get(request).as_i64().unwrap() - 1);
    vec![
        change(request, &price, "another", Value::String(fresh_id("price")), changed()),
        change(request, &number, "1 less", less, changed()),
        change(request, &currency, "another", Value::String("USD".to_owned()), changed()),
    ]
}
