//! Looks into the database of a running service from outside: every row of every table.

use std::collections::BTreeMap;
use std::path::PathBuf;

use plasma_testkit::Cluster;
use plasma_testkit::postgres::Programs;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

/// Where the rows are.
#[derive(Debug)]
pub(crate) enum Database {
    Sqlite(PathBuf),
    Postgres { programs: Programs, url: String },
}

/// Rows by table and tenant; the tenant is the hexadecimal digits of its UUID, empty where the
/// table has none.
pub(crate) type Rows = BTreeMap<(String, String), Vec<String>>;

impl Database {
    pub(crate) fn of(cluster: &Cluster) -> Self {
        match cluster.database_url() {
            Some(url) => {
                Self::Postgres { programs: Programs::find().unwrap(), url: url.to_owned() }
            }
            None => Self::Sqlite(cluster.node(0).data_dir().join("plasma.db")),
        }
    }

    /// Every row there is, but for those that are written by themselves.
    pub(crate) fn rows(&self) -> Rows {
        let mut rows = match self {
            Self::Sqlite(file) => of_sqlite(file),
            Self::Postgres { programs, url } => of_postgres(programs, url),
        };
        assert!(rows.keys().any(|(table, _)| table == "tenants"), "no rows were read: {rows:?}");
        rows.retain(|(table, _), _| {
            !HISTORY.contains(&table.as_str()) && !WORKED_ON.contains(&table.as_str())
        });
        rows
    }
}

/// Tables whose rows end by themselves within minutes.
const FLEETING: &[&str] = &["linkings"];

/// What the folder writes by itself a moment after any change: the ledger's history.
const HISTORY: &[&str] = &[
    "ledger_unfolded",
    "ledger_chain",
    "ledger_subtrees",
    "ledger_heads",
    "ledger_checkpoints",
    "ledger_folded",
];

/// What the worker of platforms' own wallets goes on with by itself.
const WORKED_ON: &[&str] =
    &["external_operations", "external_reconciliations", "external_findings"];

/// The number of a device's newest stream: whoever opens one counts it up, whatever it then says.
const FENCE: &str = "connection";

/// What differs between two looks, for a person: added rows with `+`, gone ones with `-`.
pub(crate) fn difference(before: &Rows, after: &Rows) -> Vec<String> {
    let mut found = Vec::new();
    for key in before.keys().chain(after.keys()) {
        let (old, new) = (before.get(key), after.get(key));
        let (old, new) = (old.map_or(&[][..], |rows| rows), new.map_or(&[][..], |rows| rows));
        let table = &key.0;
        found.extend(
            new.iter().filter(|row| !old.contains(row)).map(|row| format!("+ {table}: {row}")),
        );
        found.extend(
            old.iter()
                .filter(|row| !new.contains(row) && !FLEETING.contains(&table.as_str()))
                .map(|row| format!("- {table}: {row}")),
        );
    }
    found.sort();
    found.dedup();
    found
}

/// The rows of every tenant but one.
pub(crate) fn without_tenant(mut rows: Rows, tenant: &str) -> Rows {
    rows.retain(|(_, of), _| of != tenant);
    rows
}

fn of_sqlite(file: &std::path::Path) -> Rows {
    let db = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let list = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut statement = db.prepare(list).unwrap();
    let tables: Vec<String> =
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut found = Rows::new();
    for table in tables {
        let mut statement = db.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let names: Vec<String> = statement.column_names().iter().map(ToString::to_string).collect();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<String> =
                (0..names.len()).map(|place| text(row.get_ref(place).unwrap())).collect();
            let tenant = tenant_column(&names).map(|place| values[place].clone());
            let columns = names.iter().zip(&values).filter(|(name, _)| *name != FENCE);
            let line = columns.map(|(name, value)| format!("{name}={value}"));
            let line = line.collect::<Vec<_>>().join(" ");
            found.entry((table.clone(), tenant.unwrap_or_default())).or_default().push(line);
        }
    }
    sorted(found)
}

fn tenant_column(names: &[String]) -> Option<usize> {
    ["tenant_id", "host_tenant_id"]
        .iter()
        .find_map(|wanted| names.iter().position(|name| name == wanted))
}

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "null".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(bytes) => hexadecimal(bytes),
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").unwrap();
        out
    })
}

const COLUMNS: &str = "SELECT t.table_name, \
     max(c.column_name) FILTER (WHERE c.column_name IN ('tenant_id', 'host_tenant_id')), \
     bool_or(c.column_name = 'tenant_id') \
     FROM information_schema.tables t JOIN information_schema.columns c USING (table_name, table_schema) \
     WHERE t.table_schema = 'public' AND t.table_type = 'BASE TABLE' GROUP BY 1";

fn of_postgres(programs: &Programs, url: &str) -> Rows {
    let tables = programs.query(url, COLUMNS).unwrap();
    let parts: Vec<String> = tables
        .lines()
        .map(|line| {
            let columns: Vec<&str> = line.split('|').collect();
            let (table, column) =
                (columns[0], if columns[2] == "t" { "tenant_id" } else { columns[1] });
            let tenant = if column.is_empty() {
                "''".to_owned()
            } else {
                format!("replace({column}::text, '-', '')")
            };
            let row = format!("(to_jsonb(x) - '{FENCE}')::text");
            format!("SELECT '{table}', {tenant}, {row} FROM \"{table}\" x")
        })
        .collect();
    let answer = programs.query(url, &parts.join(" UNION ALL ")).unwrap();
    let mut found = Rows::new();
    for line in answer.lines() {
        let mut parts = line.splitn(3, '|');
        let mut next = || parts.next().unwrap().to_owned();
        let (table, tenant, row) = (next(), next(), next());
        found.entry((table, tenant)).or_default().push(row);
    }
    sorted(found)
}

fn sorted(mut rows: Rows) -> Rows {
    for rows in rows.values_mut() {
        rows.sort();
    }
    rows
}
