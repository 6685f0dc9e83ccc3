//! The tables of a sizing, for a terminal or as Markdown.

use comfy_table::{CellAlignment, Table};

use super::capacity::{Resource, Sizing};
use super::check::Comparison;
use super::cost::Cost;
use super::costs::Costs;

/// How tables are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For a terminal.
    Plain,
    /// For a document.
    Markdown,
}

fn draw(form: Form, header: Vec<String>, rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(match form {
        Form::Plain => comfy_table::presets::UTF8_HORIZONTAL_ONLY,
        Form::Markdown => comfy_table::presets::ASCII_MARKDOWN,
    });
    let columns = header.len();
    table.set_header(header);
    for row in rows {
        table.add_row(row);
    }
    if form == Form::Plain {
        // The first column is of words.
        for column in 1..columns {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table.to_string()
}

/// A number with as many digits as say something, thousands parted.
pub fn figure(value: f64) -> String {
    if !value.is_finite() {
        return "without end".to_owned();
    }
    let digits = match value.abs() {
        size if size >= 100.0 || size == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), None), |(a, b)| (a, Some(b)));
    let mut parted = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            parted.push(',');
        }
        parted.push(digit);
    }
    rest.map_or(parted.clone(), |rest| format!("{parted}.{rest}"))
}

/// A number of users, to two digits that count.
fn people(users: f64) -> String {
    if users <= 0.0 {
        return "0".to_owned();
    }
    let step = 10.0_f64.powf(users.log10().floor() - 1.0);
    figure((users / step).floor() * step)
}

/// The unit costs.
pub fn units(costs: &Costs, form: Form) -> String {
    let header =
        ["what", "node µs", "PostgreSQL µs", "Redis µs", "WAL bytes", "commits", "Redis commands"];
    let row = |name: &str, cost: Cost| {
        let parts = [
            cost.node_micros,
            cost.postgres_micros,
            cost.redis_micros,
            cost.wal_bytes,
            cost.write_transactions,
            cost.redis_commands,
        ];
        std::iter::once(name.to_owned()).chain(parts.map(figure)).collect()
    };
    let units = &costs.units;
    let mut rows = vec![
        row("an idle node, a second", costs.node.second),
        row("a connected device, a second", costs.device.second),
        row("a sign-in", units.sign_in.each),
        row("a visit: stream opened and closed", units.visit.each),
        row("a message online, on one node", units.near.each),
    ];
    if let Some(far) = units.far {
        rows.push(row("a message online, between two nodes", far.each));
    }
    rows.extend([
        row("more, where the chat must be looked up", units.look_up.each),
        row("a message stored, without its commit", units.stored.each),
        row("a commit of stored messages", units.commit.each),
        row("the first envelope that a visit takes", units.first_taken.each),
        row("each further one", units.further_taken.each),
        row("a row that a sweep comes by", units.swept.each),
        row("a link made and a free chat opened", units.chat.each),
        row("a user enrolled with a device", units.user.each),
    ]);
    draw(form, header.map(str::to_owned).into(), rows)
}

/// The sizes that were measured.
pub fn sizes(costs: &Costs, form: Form) -> String {
    let rows = [
        ("memory of an idle node, KiB", costs.node.resident_kib),
        ("memory of a connected device, KiB", costs.device.resident_kib),
        ("memory of a chat that a node remembers, KiB", costs.chat_kib),
        ("a stored envelope in the database, bytes", costs.envelope_bytes),
        ("a commit of stored messages holds up the next for, ms", costs.commit_millis),
    ];
    let rows = rows.map(|(name, size)| vec![name.to_owned(), figure(size)]);
    draw(form, vec!["what".to_owned(), "measured".to_owned()], rows.into())
}

/// What numbers of users need.
pub fn sizings(sizings: &[Sizing], form: Form) -> String {
    type Column = fn(&Sizing) -> f64;
    let all: &[(&str, Column)] = &[
        ("messages/s, busiest minutes", |it| it.cells * it.cell.messages),
        ("envelopes/s, with receipts and own devices", |it| it.cells * it.cell.envelopes),
        ("of these stored, per second", |it| it.cells * it.cell.stored),
        ("visits/s", |it| it.cells * it.cell.visits),
        ("devices connected", |it| it.cells * it.cell.connected),
        ("cores that nodes use", |it| it.cells * it.cell.second.node_micros / 1e6),
        ("nodes by CPU", |it| it.cells * it.cell.nodes.by_cpu),
        ("nodes by memory", |it| it.cells * it.cell.nodes.by_memory),
        ("nodes by connections", |it| it.cells * it.cell.nodes.by_connections),
        ("**nodes**, a spare one a cell", |it| it.cells * it.cell.nodes.all),
        ("cores that PostgreSQL uses", |it| it.cells * it.cell.second.postgres_micros / 1e6),
        ("of these for sweeps", |it| it.cells * it.cell.sweeps.postgres_micros / 1e6),
        ("commits/s", |it| it.cells * it.cell.second.write_transactions),
        ("WAL MB/s", |it| it.cells * it.cell.second.wal_bytes / 1e6),
        ("envelopes that wait", |it| it.cells * it.cell.kept.waiting),
        ("GB of them", |it| it.cells * it.cell.kept.waiting_gb),
        ("GB of accounts and chats", |it| it.cells * it.cell.kept.accounts_gb),
        ("**databases**, and cells", |it| it.cells),
        ("**partitions** of envelopes, a cell", |it| it.partitions),
        ("cores that Redis uses", |it| it.cells * it.cell.second.redis_micros / 1e6),
        ("Redis commands/s", |it| it.cells * it.cell.second.redis_commands),
        ("**Redis shards**", |it| it.cells * it.redis_shards),
        ("photos and videos put per second", |it| it.cells * it.cell.kept.media),
        ("**object store**, GB at a time", |it| it.cells * it.cell.kept.media_gb),
    ];
    let header = std::iter::once("daily users".to_owned())
        .chain(sizings.iter().map(|it| figure(it.users)))
        .collect();
    let rows = all.iter().map(|(name, column)| {
        let name = if form == Form::Plain { name.replace("**", "") } else { (*name).to_owned() };
        std::iter::once(name).chain(sizings.iter().map(|it| figure(column(it)))).collect()
    });
    draw(form, header, rows.collect())
}

/// What runs out with one PostgreSQL and one Redis.
pub fn bottlenecks(found: &[(Resource, f64)], form: Form) -> String {
    let header = ["runs out", "at daily users", "what is done about it"];
    let rows = found.iter().map(|(resource, users)| {
        vec![resource.name().to_owned(), people(*users), resource.remedy().to_owned()]
    });
    draw(form, header.map(str::to_owned).into(), rows.collect())
}

/// What was predicted and what was measured.
pub fn comparisons(compared: &[Comparison], factor: f64, form: Form) -> String {
    let header = ["load and phase", "quantity", "predicted", "measured", "ratio", ""];
    let rows = compared.iter().map(|it| {
        let verdict = match (it.counts, it.holds(factor)) {
            (false, _) => "too small to tell",
            (true, true) => "",
            (true, false) => "WRONG",
        };
        vec![
            it.of.clone(),
            it.quantity.to_owned(),
            figure(it.predicted),
            figure(it.measured),
            figure(it.ratio()),
            verdict.to_owned(),
        ]
    });
    draw(form, header.map(str::to_owned).into(), rows.collect())
}

#[cfg(test)]
mod tests {
    use super::{figure, people};

    #[test]
    fn figures_say_as_much_as_they_know() {
        let said = [0.0, 0.5, 3.0, 42.0, 999.6, 1_234_567.0, f64::INFINITY].map(figure);
        assert_eq!(said, ["0", "0.500", "3.00", "42.0", "1,000", "1,234,567", "without end"]);
        assert_eq!(people(1_234_567.0), "1,200,000");
        assert_eq!(people(0.0), "0");
    }
}
