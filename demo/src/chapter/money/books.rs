//! What the sandbox’s admin sees: the statement, whose lines add up, and what each product brought.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jiff::{ToSpan, Zoned};
use plasma_proto::billing::v1::revenue::Group;
use plasma_proto::billing::v1::statement_service_client::StatementServiceClient;
use plasma_proto::billing::v1::{
    AccountPurpose, GetRevenueRequest, GetStatementRequest, Product, Revenue, RevenueGrouping,
    StatementLine,
};
use prost_types::Timestamp;

use super::shop::{self, Shop};
use crate::figure;
use crate::transcript::Transcript;

/// Tells both.
pub async fn of_the_sandbox(transcript: &mut Transcript, shop: &Shop) -> Result<()> {
    transcript.chapter("The statement");
    let first = shop.charges().await?.into_iter().next().context("a charge")?;
    let half = shop::local(first.create_time)?.checked_add(5.months())?;
    statement(transcript, shop, &half).await?;
    revenue(transcript, shop, first.create_time).await
}

async fn statement(transcript: &mut Transcript, shop: &Shop, half: &Zoned) -> Result<()> {
    let before = lines(shop, None, Some(shop::written(half))).await?;
    let after = lines(shop, Some(shop::written(half)), None).await?;
    let whole = lines(shop, None, None).await?;
    transcript.step(&format!("the statement since {}", half.strftime("%-d %B %Y")));
    for line in &after {
        transcript.detail(&purpose(line), row(line));
    }
    let adds_up = |line: &StatementLine| {
        line.opening_minor_units + line.posted_in_minor_units + line.posted_out_minor_units
            == line.closing_minor_units
    };
    let all = [&before, &after, &whole];
    let closes = all.iter().all(|lines| !lines.is_empty() && lines.iter().all(adds_up));
    let sums = all.map(|lines| lines.iter().map(|line| line.closing_minor_units).sum::<i64>());
    transcript.check(
        "opening and movements make the closing of every account, and all together are nothing",
        closes && sums == [0, 0, 0],
        format!("{} accounts", whole.len()),
    );
    let closing = |lines: &[StatementLine]| balances(lines, |line| line.closing_minor_units);
    let opening = balances(&after, |line| line.opening_minor_units);
    transcript.check(
        "where one statement ends the next begins, and both are the whole",
        closing(&before) == opening && closing(&after) == closing(&whole) && !opening.is_empty(),
        format!("{} opening balances", opening.len()),
    );
    let of = |purpose| closing(&whole).get(&i32::from(purpose)).copied().unwrap_or_default();
    let (wallets, funding) = (of(AccountPurpose::Wallets), of(AccountPurpose::Funding));
    transcript.check(
        "the statement says what the wallet holds and what was paid in",
        wallets.abs() == shop.wallet().await? && funding.abs() == shop.credited,
        format!(
            "{} of {}",
            figure::money("EUR", wallets.abs()),
            figure::money("EUR", funding.abs())
        ),
    );
    Ok(())
}

async fn revenue(transcript: &mut Transcript, shop: &Shop, since: Option<Timestamp>) -> Result<()> {
    let charges = shop.charges().await?;
    let gross: i64 = charges.iter().map(|charge| charge.amount_minor_units).sum();
    let by_product = grouped(shop, since, RevenueGrouping::Product).await?;
    for revenue in &by_product {
        transcript.step(&format!(
            "subscriptions brought {} in {} charges, of which {} were given back",
            figure::money("EUR", revenue.gross_minor_units),
            revenue.charges,
            figure::money("EUR", revenue.refunded_minor_units)
        ));
    }
    let right = |revenue: &Revenue| {
        revenue.group == Some(Group::Product(Product::Subscription.into()))
            && revenue.gross_minor_units == gross
            && usize::try_from(revenue.charges).ok() == Some(charges.len())
            && revenue.refunded_minor_units == super::consent::RAISED
    };
    transcript.check(
        "revenue by product is the sum of the charges, less what was given back",
        by_product.len() == 1 && by_product.iter().all(right),
        format!("{} of {} charges", figure::money("EUR", gross), charges.len()),
    );
    let by_day = grouped(shop, since, RevenueGrouping::Day).await?;
    let sold: BTreeMap<String, i64> = by_day
        .iter()
        .filter(|revenue| revenue.charges > 0)
        .filter_map(|revenue| match &revenue.group {
            Some(Group::Date(date)) => Some((date.clone(), revenue.gross_minor_units)),
            _ => None,
        })
        .collect();
    let mut by_product: BTreeMap<String, i64> = BTreeMap::new();
    for charge in &charges {
        let day = shop::local(charge.create_time)?.date().to_string();
        *by_product.entry(day).or_default() += charge.amount_minor_units;
    }
    transcript.check(
        "revenue by day counts local days",
        sold == by_product && !by_product.is_empty(),
        format!(
            "{} days, the first {}",
            sold.len(),
            sold.keys().next().map_or("none", String::as_str)
        ),
    );
    Ok(())
}

async fn lines(
    shop: &Shop,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
) -> Result<Vec<StatementLine>> {
    let request = GetStatementRequest { currency_code: "EUR".to_owned(), start_time, end_time };
    let mut client = StatementServiceClient::new(shop.channel.clone());
    Ok(client.get_statement(shop.platform.admin(request)?).await?.into_inner().lines)
}

async fn grouped(
    shop: &Shop,
    start_time: Option<Timestamp>,
    by: RevenueGrouping,
) -> Result<Vec<Revenue>> {
    let (mut revenues, mut page_token) = (Vec::new(), String::new());
    let mut client = StatementServiceClient::new(shop.channel.clone());
    loop {
        let request = GetRevenueRequest {
            currency_code: "EUR".to_owned(),
            start_time,
            end_time: None,
            by: by.into(),
            page_size: 200,
            page_token,
        };
        let page = client.get_revenue(shop.platform.admin(request)?).await?.into_inner();
        revenues.extend(page.revenues);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(revenues);
        }
    }
}

/// The balances that are not 0, by the account's purpose.
fn balances(
    lines: &[StatementLine],
    balance: impl Fn(&StatementLine) -> i64,
) -> BTreeMap<i32, i64> {
    let each = lines.iter().map(|line| (line.purpose, balance(line)));
    each.filter(|(_, balance)| *balance != 0).collect()
}

fn purpose(line: &StatementLine) -> String {
    let name = line.purpose().as_str_name().trim_start_matches("ACCOUNT_PURPOSE_");
    name.to_lowercase().replace('_', " ")
}

fn row(line: &StatementLine) -> String {
    let money = |minor_units| figure::money("EUR", minor_units);
    format!(
        "{:>11}  {:>11}  {:>11}  {:>11}",
        money(line.opening_minor_units),
        money(line.posted_in_minor_units),
        money(line.posted_out_minor_units),
        money(line.closing_minor_units)
    )
}
