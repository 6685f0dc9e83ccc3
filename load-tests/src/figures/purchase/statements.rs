//! Holds the yardstick to what the service does: buys a few times while PostgreSQL logs every
//! statement, and compares what it logged with `purchase.sql`.
//!
//! A statement is known by what it does to which tables and by the columns that it writes. What a
//! service looks up only now and then, or does in the background, is not a purchase's.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use plasma_proto::billing::v1::access_service_client::AccessServiceClient;

use super::callers::{PASS, buy};
use super::database::Database;
use super::pgbench::statements;
use super::shop::Shop;

/// Purchases that are looked at.
const PURCHASES: usize = 40;
/// How long servers take to hear of a setting, and to write their log.
const SETTLE: Duration = Duration::from_millis(300);

/// How often each kind of statement occurs.
type Kinds = BTreeMap<String, usize>;

/// Fails where a purchase of the service sends other statements than the yardstick runs.
pub async fn compare(database: &Database, log: &Path, shop: &Shop) -> Result<()> {
    tokio::time::sleep(PASS).await;
    let mut client = AccessServiceClient::new(shop.channel()?);
    set(database, "SET log_statement = 'all'").await?;
    let begins = std::fs::metadata(log).context("the log of PostgreSQL")?.len();
    for chat in shop.chats.iter().take(PURCHASES) {
        buy(&mut client, shop, chat).await?;
    }
    set(database, "RESET log_statement").await?;
    let mut text = String::new();
    let mut file = File::open(log).context("the log of PostgreSQL")?;
    file.seek(SeekFrom::Start(begins))?;
    file.read_to_string(&mut text).context("the log of PostgreSQL")?;
    let purchases = shop.chats.len().min(PURCHASES);
    let (sent, expected) = (each(&logged(&text), purchases), scripted(&statements()));
    ensure!(
        sent == expected,
        "a purchase sends other statements than purchase.sql has:\n{}",
        differences(&sent, &expected)
    );
    Ok(())
}

async fn set(database: &Database, change: &str) -> Result<()> {
    database.query(&format!("ALTER SYSTEM {change}")).await?;
    database.query("SELECT pg_reload_conf()").await?;
    tokio::time::sleep(SETTLE).await;
    Ok(())
}

/// The statements of a log, counted.
fn logged(log: &str) -> Kinds {
    let statements = log.lines().filter_map(|line| {
        let (_, statement) = line.split_once("LOG:  ")?;
        let named = statement.strip_prefix("execute ").and_then(|rest| rest.split_once(": "));
        named.map(|(_, sql)| sql).or_else(|| statement.strip_prefix("statement: "))
    });
    count(statements)
}

/// The statements of a script of `pgbench`, counted.
fn scripted(script: &str) -> Kinds {
    let is_sql = |line: &&str| !line.starts_with("--") && !line.starts_with('\\');
    count(script.lines().filter(is_sql))
}

fn count<'a>(statements: impl Iterator<Item = &'a str>) -> Kinds {
    let mut kinds = Kinds::new();
    for statement in statements {
        *kinds.entry(kind(statement)).or_default() += 1;
    }
    kinds
}

/// What there is of each kind for one of so many purchases; what is rarer belongs to none.
fn each(kinds: &Kinds, purchases: usize) -> Kinds {
    let each = |count: &usize| (count + purchases / 2) / purchases;
    let kinds = kinds.iter().map(|(kind, count)| (kind.clone(), each(count)));
    kinds.filter(|(_, count)| *count > 0).collect()
}

/// What a statement does, to which tables in which order, and for an `INSERT` the columns.
fn kind(statement: &str) -> String {
    let statement = statement.trim_end_matches(';');
    let words: Vec<&str> = statement.split_whitespace().collect();
    let mut kind = vec![words.first().copied().unwrap_or_default()];
    for pair in words.windows(2) {
        let is_table =
            matches!(pair[0].trim_start_matches('('), "FROM" | "JOIN" | "INTO" | "UPDATE");
        if is_table && !pair[1].starts_with('(') {
            kind.push(pair[1].trim_end_matches([')', ',']));
        }
    }
    let columns = statement.strip_prefix("INSERT").and_then(|rest| rest.split_once(" VALUES "));
    if let Some((_, columns)) = columns.and_then(|(head, _)| head.split_once('(')) {
        kind.push(columns.trim_end_matches(')'));
    }
    kind.join(" ")
}

fn differences(sent: &Kinds, expected: &Kinds) -> String {
    let of = |kinds: &Kinds, kind: &String| kinds.get(kind).copied().unwrap_or_default();
    let kinds = sent.keys().chain(expected.keys().filter(|kind| !sent.contains_key(*kind)));
    kinds
        .filter(|kind| of(sent, kind) != of(expected, kind))
        .map(|kind| {
            format!("{} sent, {} in the script: {kind}", of(sent, kind), of(expected, kind))
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::{differences, each, logged, scripted};

    const SCRIPT: &str = "-- a comment\n\\set k :k + 1\nBEGIN;\n\
                          INSERT INTO passes (id, chat_id) VALUES (:n, 2) ON CONFLICT DO NOTHING;\n\
                          SELECT a, b FROM passes WHERE c = (SELECT 1 FROM prices) \\gset latest_\n\
                          COMMIT;\n";

    fn log(columns: &str) -> String {
        let once = format!(
            "2026 [7] LOG:  statement: BEGIN\n\
             2026 [7] LOG:  execute sqlx_s_1: INSERT INTO passes ({columns}) VALUES ($1, $2) \
             ON CONFLICT DO NOTHING\n2026 [7] DETAIL:  parameters: $1 = '1', $2 = '2'\n\
             2026 [7] LOG:  execute sqlx_s_2: SELECT a, b FROM passes WHERE c = (SELECT 1 FROM prices)\n\
             2026 [7] LOG:  statement: COMMIT\n"
        );
        format!("{}2026 [9] LOG:  execute sqlx_s_3: SELECT 1 FROM changes\n", once.repeat(4))
    }

    #[test]
    fn a_script_of_the_same_statements_is_the_same() {
        let sent = each(&logged(&log("id, chat_id")), 4);
        assert_eq!(sent, scripted(SCRIPT), "{}", differences(&sent, &scripted(SCRIPT)));
    }

    #[test]
    fn another_column_or_a_statement_more_is_found() {
        let sent = each(&logged(&log("id, chat_id, source")), 4);
        let said = differences(&sent, &scripted(SCRIPT));
        assert!(
            said.contains("1 sent, 0 in the script: INSERT passes id, chat_id, source"),
            "{said}"
        );
        let twice = format!("{}{}", log("id, chat_id"), log("id, chat_id"));
        assert_ne!(each(&logged(&twice), 4), scripted(SCRIPT));
    }
}
