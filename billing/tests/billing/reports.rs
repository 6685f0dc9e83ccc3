//! What an admin sees: revenue, transactions, files.

use std::time::Duration;

use plasma_kit::ids::{ChargeId, Id, TenantId, TransactionId, UserId};
use plasma_proto::billing::v1 as pb;
use plasma_proto::billing::v1::revenue::Group;
use sea_orm::{ConnectionTrait, Statement};
use tonic::Status;

use crate::books::audit;
use crate::harness::{Caller, World, credit, fresh, reason};
use crate::offers::{for_recipient, time_pass, unlock};

const DAY: Duration = Duration::from_hours(24);

fn asked(world: &World, by: pb::RevenueGrouping) -> pb::GetRevenueRequest {
    // A month back, and until after what is bought in a test.
    let seconds = world.env.now().seconds();
    let moment = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    pb::GetRevenueRequest {
        currency_code: "EUR".to_owned(),
        start_time: moment(seconds - 30 * 86_400),
        end_time: moment(seconds + 1),
        by: by.into(),
        page_size: 2,
        page_token: String::new(),
    }
}

async fn revenue(caller: &Caller, mut request: pb::GetRevenueRequest) -> Vec<pb::Revenue> {
    let mut found = Vec::new();
    loop {
        let answer = caller.statement.clone().get_revenue(request.clone()).await.unwrap();
        let answer = answer.into_inner();
        found.extend(answer.revenues);
        if answer.next_page_token.is_empty() {
            return found;
        }
        request.page_token = answer.next_page_token;
    }
}

/// Group, charges, gross, operator, recipient, platform, refunded.
fn figures(revenue: &pb::Revenue) -> (String, [i64; 6]) {
    let group = match revenue.group.clone().unwrap() {
        Group::Date(text) | Group::RecipientUserId(text) | Group::PriceId(text) => text,
        Group::Product(number) => pb::Product::try_from(number).unwrap().as_str_name().to_owned(),
    };
    let figures = [
        revenue.charges,
        revenue.gross_minor_units,
        revenue.operator_minor_units,
        revenue.recipient_minor_units,
        revenue.platform_minor_units,
        revenue.refunded_minor_units,
    ];
    (group, figures)
}

async fn buy(world: &World, tenant: TenantId, payer: UserId, recipient: UserId) -> ChargeId {
    let chat = world.chat((tenant, payer), (tenant, recipient));
    let device = world.device(0, tenant, payer);
    let pass = device.buy(chat, &device.quote(chat).await).await.unwrap();
    ChargeId::parse(&pass.charge_id).unwrap()
}

/// A transaction that takes back the recipient's and the platform's part of a charge.
async fn give_back(world: &World, tenant: TenantId, charge: ChargeId) {
    let conn = world.nodes[0].db.for_migrations();
    let run = |sql: &str, values: Vec<sea_orm::Value>| {
        let statement = Statement::from_sql_and_values(conn.get_database_backend(), sql, values);
        async move { conn.execute_raw(statement).await.unwrap() }
    };
    let (id, now) = (TransactionId(world.env.uuid()), world.env.now().0);
    let of = "FROM ledger_transactions WHERE tenant_id = $1 AND reference = $4";
    let sql = format!(
        "INSERT INTO ledger_transactions \
         (tenant_id, id, kind, external_id, reference, reverses_id, created_at) \
         SELECT tenant_id, $2, 4, 'refund', reference, id, $3 {of}"
    );
    let values = || vec![tenant.0.into(), id.0.into(), now.into(), charge.to_string().into()];
    run(&sql, values()).await;
    let reversed = format!("(SELECT id {of} AND reverses_id IS NULL)");
    let sql = format!(
        "INSERT INTO ledger_postings (tenant_id, transaction_id, line, account_id, currency, \
         minor_units, created_at) SELECT tenant_id, $2, line - 1, account_id, currency, \
         CASE WHEN line = 2 THEN -10 ELSE 10 END, $3 FROM ledger_postings \
         WHERE tenant_id = $1 AND transaction_id = {reversed} AND line IN (2, 3)"
    );
    run(&sql, values()).await;
    let sql = "INSERT INTO ledger_unfolded (tenant_id, transaction_id, created_at) \
               VALUES ($1, $2, $3)";
    run(sql, vec![tenant.0.into(), id.0.into(), now.into()]).await;
}

async fn revenue_is_added_up_by_day_product_recipient_and_price(world: World) {
    let tenant = world.tenant(false, 1_000);
    let (ann, key) = (world.user(tenant), world.key(0, tenant));
    let mut users = [world.user(tenant), world.user(tenant), world.user(tenant)];
    users.sort_unstable();
    let unlocked = key.publish(unlock("EUR", 500)).await;
    let passed = key.publish(for_recipient(time_pass("EUR", 300, 60), users[2])).await;
    key.credit(ann, "EUR", 9_000).await;
    let first = buy(&world, tenant, ann, users[0]).await;
    buy(&world, tenant, ann, users[2]).await;
    world.pass_time(2 * DAY);
    buy(&world, tenant, ann, users[1]).await;
    give_back(&world, tenant, first).await;

    let by = async |by| {
        let found = revenue(&key, asked(&world, by)).await;
        found.iter().map(figures).collect::<Vec<_>>()
    };
    let whole = [1, 500, 50, 360, 90, 0];
    let pass = [1, 300, 30, 216, 54, 0];
    let days = by(pb::RevenueGrouping::Day).await;
    assert_eq!(
        days.iter().map(|day| day.1).collect::<Vec<_>>(),
        [[2, 800, 80, 576, 144, 0], whole]
    );
    let date =
        |at: i64| jiff::Timestamp::from_microsecond(at).unwrap().to_string()[..10].to_owned();
    assert_eq!(days[1].0, date(world.env.now().0));
    assert_eq!(days[0].0, date(world.env.now().minus(2 * DAY).0));
    assert_eq!(
        by(pb::RevenueGrouping::Recipient).await,
        [
            (users[0].to_string(), whole),
            (users[1].to_string(), whole),
            (users[2].to_string(), pass)
        ]
    );
    let mut prices =
        vec![(unlocked.price_id, [2, 1_000, 100, 720, 180, 0]), (passed.price_id, pass)];
    prices.sort();
    assert_eq!(by(pb::RevenueGrouping::Price).await, prices);
    assert_eq!(
        by(pb::RevenueGrouping::Product).await,
        [
            ("PRODUCT_ONE_TIME_UNLOCK".to_owned(), [2, 1_000, 100, 720, 180, 0]),
            ("PRODUCT_TIME_PASS".to_owned(), pass)
        ]
    );
    let parts = |found: &pb::Revenue| {
        (found.refunded_recipient_minor_units, found.refunded_platform_minor_units)
    };
    let days = revenue(&key, asked(&world, pb::RevenueGrouping::Day)).await;
    assert_eq!(days.iter().map(parts).collect::<Vec<_>>(), [(0, 0), (10, -10)]);
    // The same in one page as in many.
    let one = pb::GetRevenueRequest { page_size: 200, ..asked(&world, pb::RevenueGrouping::Day) };
    assert_eq!(revenue(&key, one).await, days);
    let recipients = revenue(&key, asked(&world, pb::RevenueGrouping::Recipient)).await;
    assert_eq!(parts(&recipients[0]), (10, -10));

    let mut backwards = asked(&world, pb::RevenueGrouping::Day);
    std::mem::swap(&mut backwards.start_time, &mut backwards.end_time);
    let mut ages = asked(&world, pb::RevenueGrouping::Day);
    ages.start_time = Some(prost_types::Timestamp { seconds: 0, nanos: 0 });
    for request in [backwards, ages] {
        let refused = key.statement.clone().get_revenue(request).await.unwrap_err();
        assert_eq!(reason(&refused), "INVALID_FIELD");
    }
}

async fn opening_balances_and_transactions_lead_to_closing_balances(world: World) {
    let tenant = world.tenant(false, 1_000);
    let (ann, bob, key) = (world.user(tenant), world.user(tenant), world.key(0, tenant));
    key.publish(unlock("EUR", 500)).await;
    key.credit(ann, "EUR", 900).await;
    world.pass_time(DAY);
    let middle = world.env.now();
    for _ in 0..3 {
        key.credit(ann, "EUR", 100).await;
    }
    buy(&world, tenant, ann, bob).await;
    let start_time = Some(prost_types::Timestamp { seconds: middle.seconds(), nanos: 0 });
    let mut request = pb::ListTransactionsRequest {
        currency_code: "EUR".to_owned(),
        start_time,
        page_size: 3,
        ..Default::default()
    };
    let mut listed = Vec::new();
    loop {
        let answer = key.ledger.clone().list_transactions(request.clone()).await.unwrap();
        let answer = answer.into_inner();
        listed.extend(answer.transactions);
        if answer.next_page_token.is_empty() {
            break;
        }
        request.page_token = answer.next_page_token;
    }
    let kinds: Vec<_> = listed.iter().map(pb::LedgerTransaction::kind).collect();
    let (credit, charge) = (pb::WalletEntryKind::Credit, pb::WalletEntryKind::AccessCharge);
    assert_eq!(kinds, [credit, credit, credit, charge]);
    assert_eq!(listed[3].postings[1].user_id, bob.to_string());
    let request = pb::GetStatementRequest {
        currency_code: "EUR".to_owned(),
        start_time,
        ..Default::default()
    };
    let statement = key.statement.clone().get_statement(request).await.unwrap().into_inner();
    for line in statement.lines {
        let postings = listed.iter().flat_map(|one| &one.postings);
        let posted = postings.filter(|posting| posting.purpose == line.purpose);
        let sum: i64 = posted.map(|posting| posting.minor_units).sum();
        assert_eq!(line.opening_minor_units + sum, line.closing_minor_units, "{line:?}");
    }
    audit(&world).await;
}

async fn export(caller: &Caller, request: pb::ExportCsvRequest) -> Result<Vec<u8>, Status> {
    let mut chunks = caller.statement.clone().export_csv(request).await?.into_inner();
    let mut file = Vec::new();
    while let Some(chunk) = chunks.message().await? {
        assert!((1..=65_536).contains(&chunk.chunk.len()), "{}", chunk.chunk.len());
        file.extend(chunk.chunk);
    }
    Ok(file)
}

fn rows(file: &[u8]) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(file);
    let rows = reader.records().map(|row| row.unwrap().iter().map(ToOwned::to_owned).collect());
    rows.collect()
}

async fn files_are_whole_and_safe_for_a_spreadsheet(world: World) {
    let tenant = world.tenant(false, 1_000);
    let (ann, bob, key) = (world.user(tenant), world.user(tenant), world.key(0, tenant));
    key.publish(unlock("EUR", 500)).await;
    let formulas = ["=1+1", "+1", "-1", "@SUM(A1)", "a \"quoted\", text"];
    for formula in formulas {
        let request = pb::CreditWalletRequest {
            reference: formula.to_owned(),
            ..credit(&fresh("credit"), ann, "EUR", 200)
        };
        key.wallet.clone().credit_wallet(request).await.unwrap();
    }
    let charge = buy(&world, tenant, ann, bob).await;
    let asked = |kind: pb::ExportKind, user_id: String| pb::ExportCsvRequest {
        kind: kind.into(),
        currency_code: "EUR".to_owned(),
        user_id,
        ..Default::default()
    };
    let file = export(&key, asked(pb::ExportKind::WalletEntries, ann.to_string())).await.unwrap();
    let written = rows(&file);
    assert_eq!(written.len(), 7);
    assert_eq!(
        written[0][..6],
        ["transaction_id", "kind", "reference", "currency", "amount_minor", "amount_major"]
    );
    let safe = ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "a \"quoted\", text"];
    for (row, reference) in written[1..].iter().zip(safe) {
        assert_eq!(row[1..6], ["credit", reference, "EUR", "200", "2.00"]);
    }
    assert_eq!(
        written[6][1..8],
        ["access_charge", &charge.to_string(), "EUR", "-500", "-5.00", "500", "5.00"]
    );
    assert!(written[6][8].ends_with("+00:00"), "{:?}", written[6]);
    let file = export(&key, asked(pb::ExportKind::Charges, String::new())).await.unwrap();
    let written = rows(&file);
    assert_eq!((written.len(), &written[1][0]), (2, &charge.to_string()));
    assert_eq!(written[1][7..15], ["500", "5.00", "50", "0.50", "360", "3.60", "90", "0.90"]);
    let file = export(&key, asked(pb::ExportKind::Payouts, String::new())).await.unwrap();
    assert_eq!(rows(&file).len(), 1, "the names of the columns alone");

    // More than a chunk and more than a page.
    for _ in 0..600 {
        key.credit(ann, "EUR", 1).await;
    }
    let file = export(&key, asked(pb::ExportKind::Postings, String::new())).await.unwrap();
    let written = rows(&file);
    assert!(file.len() > 2 * 65_536, "{}", file.len());
    assert_eq!(written.len(), 1 + 2 * 605 + 4);
    let minor = |row: &Vec<String>| row[8].parse::<i64>().unwrap();
    assert_eq!(written[1..].iter().map(minor).sum::<i64>(), 0);
    let mut ids: Vec<_> = written[1..].iter().map(|row| (&row[0], &row[3])).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), written.len() - 1, "no posting twice");

    let refused = export(&key, asked(pb::ExportKind::WalletEntries, String::new())).await;
    assert_eq!(reason(&refused.unwrap_err()), "INVALID_FIELD");
    let stranger = world.user(world.tenant(false, 0));
    let refused = export(&key, asked(pb::ExportKind::WalletEntries, stranger.to_string())).await;
    assert_eq!(reason(&refused.unwrap_err()), "NOT_FOUND");
}

crate::on_both_databases!(
    revenue_is_added_up_by_day_product_recipient_and_price,
    opening_balances_and_transactions_lead_to_closing_balances,
    files_are_whole_and_safe_for_a_spreadsheet,
);
