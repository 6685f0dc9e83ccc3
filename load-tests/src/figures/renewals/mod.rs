//! `renewals`: subscriptions that are due, worked off by the server's own scheduler on PostgreSQL,
//! compared with the purchases per second of `purchase.hot` on the same server and node.
//!
//! They become due in as many portions as there are runs, and purchases are measured before each. All
//! are held to one charge each.

mod subscribers;

use std::process;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use plasma_testkit::Node;
use serde_json::json;

use self::subscribers::Subscribers;
use super::purchase::callers::Callers;
use super::purchase::database::{self, Database};
use super::purchase::shop::Shop;
use super::purchase::{HOT_CALLERS, Scene, account};
use super::{details, progress, round};
use crate::machine::{Cores, resident};
use crate::options::{FigureName, Options};
use crate::report::{Figure, Run};

const NAME: &str = FigureName::Renewals.name();
/// How often it looks how far the renewals are.
const LOOK: Duration = Duration::from_millis(500);
/// How long nothing may happen: longer than what a node has in hand is kept from others.
const STALLED: Duration = Duration::from_mins(3);
/// The part of the subscriptions that is left to two nodes after one has done all.
const PART_OF_TWO_NODES: u32 = 4;

/// Measures one node and two.
pub async fn measure(options: &Options, cores: &Cores) -> Result<[Figure; 2]> {
    progress(NAME, "starting PostgreSQL and `plasma serve`");
    let (_postgres, database) = database::start(cores).await?;
    let shop = Shop::open(&database, Scene::hot(NAME, options)).await?;
    let all = options.renewals();
    let more = (all / PART_OF_TWO_NODES).max(options.runs);
    let subscribers = Subscribers::of_new_platform(&database, shop.node()).await?;
    progress(NAME, format!("storing {} subscriptions", all + more));
    subscribers.store(all + more).await?;

    cores.pin_generator(shop.node().pid())?;
    cores.pin_generator(process::id())?;
    let bench = Bench { options, cores, database: &database, shop: &shop, subscribers };
    let figures = bench.figures(all, more).await;
    cores.unpin(process::id())?;
    let figures = figures?;
    bench.subscribers.check(all + more).await?;
    database.check_books().await?;
    Ok(figures)
}

/// What all runs share.
struct Bench<'a> {
    options: &'a Options,
    cores: &'a Cores,
    database: &'a Database,
    shop: &'a Shop,
    subscribers: Subscribers,
}

impl Bench<'_> {
    async fn figures(&self, all: u32, more: u32) -> Result<[Figure; 2]> {
        let one = self.runs(0..all, &[self.shop.node()]).await?;
        let second = self.shop.start_another_node().await?;
        self.cores.pin_generator(second.pid())?;
        let two = self.runs(all..all + more, &[self.shop.node(), &second]).await?;
        Ok([
            Figure::of(NAME, "renewals/s", one),
            Figure::of(format!("{NAME}.two_nodes"), "renewals/s", two),
        ])
    }

    /// Makes the subscriptions of some numbers due, in portions.
    async fn runs(&self, numbers: std::ops::Range<u32>, nodes: &[&Node]) -> Result<Vec<Run>> {
        let mut callers = Callers::of(self.shop, HOT_CALLERS)?;
        let (count, runs) = (numbers.len(), self.options.runs as usize);
        let mut result = Vec::new();
        let mut first = numbers.start;
        for portion in 1..=runs {
            let end = numbers.start + u32::try_from(count * portion / runs)?;
            let buying = callers.run(self.options.warm_up(), self.options.window());
            let (charges, charges_busy) = account(self.database, self.cores, buying).await?;
            let renewed = self.renew(first..end, nodes).await?;
            let said = format!(
                "run {portion} of {runs}, {} nodes: {} renewals, {:.0}/s (core of PostgreSQL {:.2} \
                 busy), {charges:.0} purchases/s, resident {:?} MiB",
                nodes.len(),
                end - first,
                renewed.per_second,
                renewed.busy,
                renewed.resident
            );
            progress(NAME, said);
            let details = details(json!({
                "nodes": nodes.len(),
                "renewals": end - first,
                "postgres_core_busy": renewed.busy,
                "purchases_postgres_core_busy": charges_busy,
                "resident_mib_at_begin_middle_end": renewed.resident,
            }));
            result.push(Run { value: renewed.per_second, yardstick: charges, details });
            first = end;
        }
        Ok(result)
    }

    /// Makes some due and waits until none is.
    async fn renew(&self, numbers: std::ops::Range<u32>, nodes: &[&Node]) -> Result<Renewed> {
        self.database.query("CHECKPOINT").await?;
        let mut resident = vec![of_all(nodes)?];
        let (busy_before, began) = (self.cores.server_core_busy()?, Instant::now());
        let due = self.subscribers.make_due(numbers.clone()).await?;
        let (mut left, mut moved) = (i64::MAX, Instant::now());
        while left > 0 {
            tokio::time::sleep(LOOK).await;
            let now = self.subscribers.left().await?;
            if now < left {
                moved = Instant::now();
            }
            left = now;
            resident.push(of_all(nodes)?);
            ensure!(moved.elapsed() < STALLED, "{left} subscriptions are not renewed");
        }
        let busy = self.cores.server_core_busy()?.saturating_sub(busy_before).as_secs_f64();
        let took = self.subscribers.took(due).await?;
        let last = resident.len() - 1;
        Ok(Renewed {
            per_second: f64::from(u32::try_from(numbers.len())?) / took,
            busy: round(busy / began.elapsed().as_secs_f64()),
            resident: [resident[0], resident[last / 2], resident[last]],
        })
    }
}

/// How a portion went.
struct Renewed {
    per_second: f64,
    /// The part of the time for which the core of PostgreSQL was busy.
    busy: f64,
    /// MiB of all nodes at the begin, in the middle and at the end.
    resident: [f64; 3],
}

fn of_all(nodes: &[&Node]) -> Result<f64> {
    let mut bytes = 0;
    for node in nodes {
        bytes += resident(node.pid())?;
    }
    let kib = u32::try_from(bytes / 1024).unwrap_or(u32::MAX);
    Ok((f64::from(kib) / 102.4).round() / 10.0)
}
