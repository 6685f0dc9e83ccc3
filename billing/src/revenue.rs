//! Revenue of a time by day, product, recipient or price: what charges brought, and what refunds,
//! which are the transactions that take back a charge's, took of it.

use jiff::civil::Date;
use plasma_kit::db::{Scope, StoreError};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::{ChargeId, Id};
use plasma_kit::zone::Zone;
use uuid::Uuid;

use crate::domain::ledger::Account;
use crate::domain::money::Currency;
use crate::domain::revenue::{Grouping, Groups, Parts, Sums};
use crate::store::recorded::{self, Recorded};
use crate::store::revenue::{self, Sale};
use crate::time::{Span, day_start, local_date};

/// Transactions that are read at a time.
const PAGE: u64 = 500;

/// What is asked.
pub(crate) struct Question {
    pub(crate) currency: Currency,
    pub(crate) span: Span,
    pub(crate) by: Grouping,
}

/// The groups after a key, `size` at most, in the order of their keys.
pub(crate) async fn groups(
    books: &impl Scope,
    question: &Question,
    after: Uuid,
    size: usize,
) -> Result<Vec<(Uuid, Sums)>, StoreError> {
    let Question { currency, span, by } = question;
    let mut groups = Groups::new(size);
    let charged = match by {
        Grouping::Product => revenue::by_product(books, *currency, *span).await?,
        Grouping::Recipient | Grouping::Price => {
            revenue::by_owner(books, *currency, *span, *by, after, size as u64).await?
        }
        // Days have pages of their own.
        Grouping::Day => Vec::new(),
    };
    for (key, sums) in charged {
        groups.add(key, sums);
    }
    add_refunds(books, question, &mut groups, |_, sale| sale.key(*by).filter(|key| *key > after))
        .await?;
    Ok(groups.into_vec())
}

/// A page of days.
pub(crate) struct Days {
    /// Each day with a charge or a refund.
    pub(crate) days: Vec<(Date, Sums)>,
    /// The day that the next page begins with.
    pub(crate) next: Option<Date>,
}

/// The days from one on, `most` at most, whether or not anything was sold on them.
pub(crate) async fn days(
    books: &impl Scope,
    question: &Question,
    zone: &Zone,
    first: Date,
    most: usize,
) -> Result<Days, StoreError> {
    let end = question.span.end;
    let mut dates = vec![first];
    while dates.len() <= most
        && let Some(next) = dates.last().and_then(|date| date.tomorrow().ok())
        && day_start(next, zone) < end
    {
        dates.push(next);
    }
    let next = (dates.len() > most).then(|| dates.pop()).flatten();
    let until = next.map_or(end, |next| day_start(next, zone));
    let mut starts: Vec<Timestamp> =
        dates.iter().map(|date| day_start(*date, zone).max(question.span.start)).collect();
    starts.push(until);
    let mut groups = Groups::new(dates.len());
    for (key, sums) in revenue::by_day(books, question.currency, &starts).await? {
        groups.add(key, sums);
    }
    let span = Span { start: starts[0], end: until };
    let within = Question { currency: question.currency, span, by: Grouping::Day };
    add_refunds(books, &within, &mut groups, |at, _| {
        let day = starts.partition_point(|start| *start <= at).checked_sub(1)?;
        Some(Uuid::from_u128(day as u128))
    })
    .await?;
    let days = groups.into_vec().into_iter().filter_map(|(key, sums)| {
        let day = usize::try_from(key.as_u128()).ok()?;
        Some((*dates.get(day)?, sums))
    });
    Ok(Days { days: days.collect(), next })
}

/// Adds what was given back in a time. `key` says of a refund's time and of what was sold which
/// group it belongs to.
async fn add_refunds(
    books: &impl Scope,
    question: &Question,
    groups: &mut Groups,
    key: impl Fn(Timestamp, &Sale) -> Option<Uuid>,
) -> Result<(), StoreError> {
    let mut after = (i64::MIN, Uuid::nil());
    loop {
        let ids = revenue::reversals(books, question.span, after, PAGE).await?;
        let refunds = recorded::get(books, &ids).await?;
        let latest = |one: &Recorded| (one.header.created_at, one.header.transaction);
        let Some(last) = refunds.iter().map(latest).max() else { return Ok(()) };
        after = last;
        let charges: Vec<ChargeId> =
            refunds.iter().filter_map(|one| ChargeId::parse(&one.header.reference)).collect();
        let sales = revenue::sales(books, &charges).await?;
        for refund in &refunds {
            let charge = ChargeId::parse(&refund.header.reference);
            let Some(sale) = charge.and_then(|charge| sales.get(&charge)) else { continue };
            let Some(key) = key(Timestamp(refund.header.created_at), sale) else { continue };
            let refunded = given_back(books, refund, sale, question.currency);
            if refunded != Parts::default() {
                groups.add(key, Sums { refunded, ..Sums::default() });
            }
        }
    }
}

fn given_back(books: &impl Scope, refund: &Recorded, sale: &Sale, currency: Currency) -> Parts {
    let taken = |account: Account| {
        let id = account.id(books.tenant(), currency);
        let on_it = refund.postings.iter().filter(|posting| posting.account == id);
        on_it.fold(0_i64, |sum, posting| sum.saturating_sub(posting.minor_units))
    };
    Parts {
        operator: taken(Account::OperatorShare),
        recipient: taken(Account::RecipientEarnings(sale.recipient)),
        platform: taken(Account::PlatformRevenue),
    }
}

/// The first day of a time: that of its first moment.
pub(crate) fn first_day(span: Span, zone: &Zone) -> Date {
    local_date(span.start, zone)
}
