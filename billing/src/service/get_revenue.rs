//! `StatementService.GetRevenue`.

use jiff::civil::Date;
use plasma_kit::Timestamp;
use plasma_kit::actor;
use plasma_kit::db::{TenantClaim, TenantDb};
use plasma_kit::ids::{PriceId, UserId};
use plasma_kit::paging::{self, Cursor};
use plasma_kit::zone::Zone;
use plasma_proto::billing::v1 as pb;
use plasma_proto::billing::v1::revenue::Group;
use tonic::Request;
use uuid::Uuid;

use crate::Billing;
use crate::domain::revenue::{Grouping, Sums};
use crate::error::{Error, Refusal};
use crate::revenue::{self, Question};
use crate::time::{Span, day_start, local_date, zone_of};
use crate::wire;

/// The most days of one question: ten years.
const DAYS_MAX: i32 = 3_700;

/// Gets what access brought in a time, by groups.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::GetRevenueRequest>,
) -> Result<pb::GetRevenueResponse, Error> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let now = billing.now(key.tenant).await?;
    let question = Question {
        currency: wire::read_currency("currency_code", &request.currency_code)?,
        span: Span::read(request.start_time.as_ref(), request.end_time.as_ref(), now)?,
        by: grouping(request.by())?,
    };
    let zone = zone_of(billing, key.tenant).await?;
    let code = question.currency.code();
    let list = format!("revenue/{}/{code}/{:?}", key.tenant, question.by);
    let cursor = paging::cursor(&billing.secrets, &list, &request.page_token)?;
    let books = billing.db.tenant(TenantClaim::of_key(&key));
    let size = paging::size(request.page_size);
    let (revenues, next) = match question.by {
        Grouping::Day => days(&books, &question, &zone, cursor, size).await?,
        Grouping::Product | Grouping::Recipient | Grouping::Price => {
            groups(&books, &question, cursor, size).await?
        }
    };
    Ok(pb::GetRevenueResponse {
        revenues,
        time_zone: zone.name().to_owned(),
        next_page_token: next
            .map(|next| paging::token(&billing.secrets, &list, next))
            .unwrap_or_default(),
    })
}

fn grouping(by: pb::RevenueGrouping) -> Result<Grouping, Refusal> {
    match by {
        pb::RevenueGrouping::Day => Ok(Grouping::Day),
        pb::RevenueGrouping::Product => Ok(Grouping::Product),
        pb::RevenueGrouping::Recipient => Ok(Grouping::Recipient),
        pb::RevenueGrouping::Price => Ok(Grouping::Price),
        pb::RevenueGrouping::Unspecified => {
            Err(Refusal::Invalid { field: "by", rule: "must be a grouping" })
        }
    }
}

type Page = (Vec<pb::Revenue>, Option<Cursor>);

async fn days(
    books: &TenantDb,
    question: &Question,
    zone: &Zone,
    cursor: Option<Cursor>,
    size: u64,
) -> Result<Page, Error> {
    let first = revenue::first_day(question.span, zone);
    let last = local_date(question.span.end, zone);
    if first.until(last).map_or(i32::MAX, |days| days.get_days()) > DAYS_MAX {
        let rule = "must be at most 3,700 days before the end";
        return Err(Refusal::Invalid { field: "start_time", rule }.into());
    }
    let from = cursor.map_or(first, |cursor| local_date(Timestamp(cursor.key), zone));
    let most = usize::try_from(size).unwrap_or(usize::MAX);
    let page = revenue::days(books, question, zone, from, most).await?;
    let written = page.days.iter().map(|(date, sums)| written(day(*date), sums)).collect();
    let next = page.next.map(|next| Cursor { key: day_start(next, zone).0, id: Uuid::nil() });
    Ok((written, next))
}

fn day(date: Date) -> Group {
    Group::Date(date.to_string())
}

async fn groups(
    books: &TenantDb,
    question: &Question,
    cursor: Option<Cursor>,
    size: u64,
) -> Result<Page, Error> {
    let after = cursor.map_or(Uuid::nil(), |cursor| cursor.id);
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let mut found = revenue::groups(books, question, after, size.saturating_add(1)).await?;
    let more = found.len() > size;
    found.truncate(size);
    let next = found.last().filter(|_| more).map(|(key, _)| Cursor { key: 0, id: *key });
    let group = |key: Uuid| match question.by {
        Grouping::Price => Group::PriceId(PriceId(key).to_string()),
        Grouping::Recipient => Group::RecipientUserId(UserId(key).to_string()),
        // Stored under the contract's numbers.
        Grouping::Product | Grouping::Day => {
            Group::Product(i32::try_from(key.as_u128()).unwrap_or_default())
        }
    };
    let written = found.iter().map(|(key, sums)| written(group(*key), sums)).collect();
    Ok((written, next))
}

fn written(group: Group, sums: &Sums) -> pb::Revenue {
    pb::Revenue {
        group: Some(group),
        charges: sums.charges,
        gross_minor_units: sums.charged.sum(),
        operator_minor_units: sums.charged.operator,
        recipient_minor_units: sums.charged.recipient,
        platform_minor_units: sums.charged.platform,
        refunded_minor_units: sums.refunded.sum(),
        refunded_operator_minor_units: sums.refunded.operator,
        refunded_recipient_minor_units: sums.refunded.recipient,
        refunded_platform_minor_units: sums.refunded.platform,
    }
}
