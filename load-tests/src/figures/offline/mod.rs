//! `offline.store` and `offline.drain`: messages stored for devices that are not there, then
//! delivered, acknowledged and deleted, compared with bare statements on the same server in batches
//! as large.
//!
//! PostgreSQL has the server's core to itself; what talks to it — the node with the generator, or
//! the bare statements — has the other one.

mod bare;
mod statements;

use std::net::SocketAddr;
use std::process;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use plasma_testkit::{Node, PrivatePostgres};
use serde_json::json;
use tokio::task::spawn_blocking;

use self::bare::{Bare, Work};
use self::statements::{Batches, Database};
use super::stage::{Pair, enroll_pairs, node};
use super::{details, progress, round};
use crate::generator::{PlasmaProtocol, Post, drain};
use crate::machine::{Cores, Usage, cpu_of_children};
use crate::options::{FigureName, Options};
use crate::report::{Figure, Run};

const STORE: &str = FigureName::OfflineStore.name();
const DRAIN: &str = FigureName::OfflineDrain.name();
const RATE: &str = "messages/s";
const CPU: &str = "PostgreSQL CPU µs/message";

/// A larger server than that of tests, which counts statements. What vacuums runs between windows.
const SETTINGS: [(&str, &str); 4] = [
    ("shared_buffers", "512MB"),
    ("max_wal_size", "4GB"),
    ("shared_preload_libraries", "pg_stat_statements"),
    ("pg_stat_statements.track_planning", "off"),
];

/// What was done, and the CPU that it took.
#[derive(Debug, Clone, Copy)]
struct Measured {
    per_second: f64,
    /// CPU of PostgreSQL for each message.
    store_micros: f64,
    /// CPU of the node for each message; nothing for bare statements.
    node_micros: f64,
}

/// What all runs share.
#[derive(Debug)]
struct Bench<'a> {
    options: &'a Options,
    postgres: PrivatePostgres,
    database: Database,
    node: Node,
    pairs: Vec<Pair>,
}

/// Measures both.
pub async fn measure(options: &Options, cores: &Cores) -> Result<Vec<Figure>> {
    progress(STORE, "starting PostgreSQL and `plasma serve`");
    let postgres = spawn_blocking(|| PrivatePostgres::start_with(&SETTINGS)).await??;
    cores.pin_server_tree(postgres.pid())?;
    let database = Database::open(postgres.create_database()?).await?;
    let node = node().database_url(database.url()).start().await?;
    let pairs = enroll_pairs(STORE, &node, options.connections()).await?;
    cores.pin_generator(node.pid())?;
    cores.pin_generator(process::id())?;
    let bench = Bench { options, postgres, database, node, pairs };
    let mut bare = Bare::open(bench.database.url(), options.connections()).await?;

    let mut runs: [Vec<Run>; 4] = Default::default();
    for number in 1..=options.runs {
        // Connections were opened meanwhile, each a process.
        cores.pin_server_tree(bench.postgres.pid())?;
        for (all, run) in runs.iter_mut().zip(bench.run(number, &mut bare).await?) {
            all.push(run);
        }
    }
    let [store, store_cpu, drain, drain_cpu] = runs;
    let mut figures = Vec::new();
    if options.wants(FigureName::OfflineStore) {
        figures.push(Figure::of(STORE, RATE, store));
        figures.push(Figure::of("offline.store.cpu", CPU, store_cpu));
    }
    if options.wants(FigureName::OfflineDrain) {
        figures.push(Figure::of(DRAIN, RATE, drain));
        figures.push(Figure::of("offline.drain.cpu", CPU, drain_cpu));
    }
    Ok(figures)
}

impl Bench<'_> {
    /// Stores, stores bare, drains, deletes bare.
    async fn run(&self, number: u32, bare: &mut Bare) -> Result<[Run; 4]> {
        let protocol = Rc::new(PlasmaProtocol::new(&self.pairs)?);
        self.database.prepare().await?;
        let (stored, sent) = self.store(&protocol).await?;
        let total: u64 = sent.iter().copied().map(u64::from).sum();
        let inserts = self.database.batches("INSERT INTO envelopes").await?;
        ensure!(inserts.rows == total, "{total} messages made {} rows", inserts.rows);
        let window = self.options.window();
        let storing = json!({ "postgres_time": self.database.most_expensive(total).await? });
        let bare_stored = self.bare(async || bare.insert(inserts.mean(), window).await).await?;
        self.say(STORE, number, total, inserts, stored, bare_stored);

        self.database.prepare().await?;
        let drained = self.drain(&protocol, &sent, total).await?;
        let deletes = self.database.batches("DELETE FROM envelopes").await?;
        ensure!(deletes.rows == total, "of {total} rows {} were deleted", deletes.rows);
        let left = self.database.number("SELECT count(*) FROM envelopes").await?;
        ensure!(left == 0, "{left} envelopes are left");
        let draining = self.database.most_expensive(total).await?;
        let read = self.bare(async || bare.read().await).await?;
        let bare_drained = self.bare(async || bare.delete(deletes.mean()).await).await?;
        self.say(DRAIN, number, total, deletes, drained, bare_drained);

        let of = |batches: Batches, ours: Measured, bare: Measured, more: serde_json::Value| {
            let mut fields = details(json!({
                "messages": total,
                "rows_per_statement": round(batches.exact_mean()),
                "node_micros_per_message": round(ours.node_micros),
                "rate_by_cpu_of_postgres_alone": round(bare.store_micros / ours.store_micros),
            }));
            fields.extend(details(more));
            let rate = (ours.per_second.round(), bare.per_second.round());
            let cpu = (round(ours.store_micros), round(bare.store_micros));
            [rate, cpu].map(|(value, yardstick)| Run { value, yardstick, details: fields.clone() })
        };
        let draining = json!({
            "postgres_time": draining,
            "yardstick_with_reading": (1.0 / (1.0 / read.per_second + 1.0 / bare_drained.per_second)).round(),
            "yardstick_cpu_with_reading": round(read.store_micros + bare_drained.store_micros),
        });
        let [store, store_cpu] = of(inserts, stored, bare_stored, storing);
        let [drain, drain_cpu] = of(deletes, drained, bare_drained, draining);
        Ok([store, store_cpu, drain, drain_cpu])
    }

    fn say(
        &self,
        figure: &str,
        number: u32,
        total: u64,
        batches: Batches,
        ours: Measured,
        bare: Measured,
    ) {
        let what = format!(
            "run {number} of {}: {total} messages, {:.0}/s, {:.1} rows a statement, CPU of PostgreSQL \
             {:.1} µs and of the node {:.1} µs a message; bare {:.0}/s, {:.1} µs",
            self.options.runs,
            ours.per_second,
            batches.exact_mean(),
            ours.store_micros,
            ours.node_micros,
            bare.per_second,
            bare.store_micros
        );
        progress(figure, what);
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.node.port()))
    }

    /// Has every device send to one that is not there; how much was stored in the window, and how
    /// many messages of each device in all.
    async fn store(&self, protocol: &Rc<PlasmaProtocol>) -> Result<(Measured, Vec<u32>)> {
        let mut post = Post::start(self.address(), protocol).await?;
        post.run(self.options.warm_up()).await?;
        let (began, before, usage) = (Instant::now(), post.stored(), self.usage()?);
        post.run(self.options.window()).await?;
        let rows = post.stored() - before;
        let measured = self.since(usage, Work { rows, took: began.elapsed() })?;
        Ok((measured, post.finish().await?))
    }

    /// Has every device come back and take everything.
    async fn drain(
        &self,
        protocol: &Rc<PlasmaProtocol>,
        sent: &[u32],
        rows: u64,
    ) -> Result<Measured> {
        let (began, usage) = (Instant::now(), self.usage()?);
        drain(self.address(), protocol, sent).await?;
        self.since(usage, Work { rows, took: began.elapsed() })
    }

    async fn bare(&self, work: impl AsyncFnOnce() -> Result<Work>) -> Result<Measured> {
        let usage = self.usage()?;
        let work = work().await?;
        let measured = self.since(usage, work)?;
        Ok(Measured { node_micros: 0.0, ..measured })
    }

    fn usage(&self) -> Result<(Duration, Usage)> {
        Ok((cpu_of_children(self.postgres.pid())?, Usage::of(self.node.pid())?))
    }

    fn since(&self, before: (Duration, Usage), work: Work) -> Result<Measured> {
        let (store, node) = self.usage()?;
        ensure!(work.rows > 0, "nothing was done");
        let rows = f64::from(u32::try_from(work.rows).context("too many rows to count")?);
        Ok(Measured {
            per_second: rows / work.took.as_secs_f64(),
            store_micros: store.saturating_sub(before.0).as_secs_f64() * 1e6 / rows,
            node_micros: node.since(&before.1).cpu.as_secs_f64() * 1e6 / rows,
        })
    }
}
