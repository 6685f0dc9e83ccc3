//! `purchase.hot` and `purchase.spread`: purchases on PostgreSQL, against the revenue of one platform
//! and of many, compared with the same statements run by `pgbench` on the same server and the same
//! tables.
//!
//! PostgreSQL has the server's core to itself; what talks to it — the node with its callers, or
//! `pgbench` — has the other one.

pub mod callers;
pub mod database;
mod pgbench;
pub mod shop;
mod statements;

use std::process;
use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::json;

use self::callers::Callers;
use self::database::Database;
use self::pgbench::PgBench;
use self::shop::Shop;
use super::{details, progress, round};
use crate::machine::Cores;
use crate::options::{FigureName, Options};
use crate::report::{Figure, Run};

const HOT: &str = FigureName::PurchaseHot.name();
const SPREAD: &str = FigureName::PurchaseSpread.name();
/// Callers and `pgbench` clients at a time against the revenue of one platform.
pub const HOT_CALLERS: usize = 8;
/// Those against many.
const SPREAD_CALLERS: usize = 32;
/// What one purchase costs, in minor units.
const PRICE: i64 = 500;

/// Who buys from whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scene {
    /// The figure.
    pub name: &'static str,
    /// Platforms, each with a revenue account and a price of its own.
    pub sellers: usize,
    /// Payers of each platform.
    pub payers: usize,
    /// Recipients of each platform, each with a chat with every payer of it.
    pub recipients: usize,
}

impl Scene {
    /// One platform. A payer of each caller's own, so that callers meet at the revenue alone.
    pub fn hot(name: &'static str, options: &Options) -> Self {
        let payers = if options.quick { 5 } else { 9 } * HOT_CALLERS;
        Self { name, sellers: 1, payers, recipients: 28 }
    }

    /// Many platforms.
    fn spread(options: &Options) -> Self {
        let sellers = if options.quick { 16 } else { 64 };
        Self { name: SPREAD, sellers, payers: 8, recipients: 4 }
    }

    /// The payers of all platforms.
    pub fn accounts(self) -> usize {
        self.sellers * self.payers
    }
}

/// Measures `purchase.hot`.
pub async fn measure_hot(options: &Options, cores: &Cores) -> Result<Figure> {
    let counts = [HOT_CALLERS];
    let [runs] = measure(Scene::hot(HOT, options), counts, options, cores).await?;
    Ok(Figure::of(HOT, "purchases/s", runs))
}

/// Measures `purchase.spread` with many callers and with one, and how much the many are more than the
/// one.
pub async fn measure_spread(options: &Options, cores: &Cores) -> Result<[Figure; 3]> {
    let counts = [1, SPREAD_CALLERS];
    let [one, many] = measure(Scene::spread(options), counts, options, cores).await?;
    let growth = one.iter().zip(&many).map(|(one, many)| Run {
        value: round(many.value / one.value),
        yardstick: round(many.yardstick / one.yardstick),
        details: details(json!({ "callers": SPREAD_CALLERS })),
    });
    let growth = growth.collect();
    Ok([
        Figure::of(SPREAD, "purchases/s", many),
        Figure::of(format!("{SPREAD}.one"), "purchases/s", one),
        Figure::of(format!("{SPREAD}.growth"), "times", growth),
    ])
}

/// The runs of each number of callers, in turn.
async fn measure<const N: usize>(
    scene: Scene,
    counts: [usize; N],
    options: &Options,
    cores: &Cores,
) -> Result<[Vec<Run>; N]> {
    progress(scene.name, "starting PostgreSQL and `plasma serve`");
    let (postgres, database) = database::start(cores).await?;
    let shop = Shop::open(&database, scene).await?;
    statements::compare(&database, &postgres.log_path(), &shop).await?;
    let pgbench = PgBench::prepare(&database, scene).await?;
    let bench = Bench { options, cores, database: &database, shop: &shop, pgbench: &pgbench };

    cores.pin_generator(shop.node().pid())?;
    cores.pin_generator(process::id())?;
    let runs = bench.runs(scene.name, counts).await;
    cores.unpin(process::id())?;
    let runs = runs?;
    database.check_books().await?;
    Ok(runs)
}

/// What all runs share.
struct Bench<'a> {
    options: &'a Options,
    cores: &'a Cores,
    database: &'a Database,
    shop: &'a Shop,
    pgbench: &'a PgBench,
}

impl Bench<'_> {
    async fn runs<const N: usize>(&self, name: &str, counts: [usize; N]) -> Result<[Vec<Run>; N]> {
        let mut runs = counts.map(|_| Vec::new());
        let mut numbers = 1..;
        for round in 1..=self.options.runs {
            for (runs, callers) in runs.iter_mut().zip(counts) {
                let number = numbers.next().unwrap_or_default();
                let run = self.pair(number, callers).await?;
                let said = format!(
                    "run {round} of {}, {callers} callers: {:.0} purchases/s, pgbench {:.0}/s; {}",
                    self.options.runs,
                    run.value,
                    run.yardstick,
                    serde_json::to_string(&run.details)?
                );
                progress(name, said);
                runs.push(run);
            }
        }
        Ok(runs)
    }

    /// Ours, and the yardstick right after it.
    async fn pair(&self, number: u32, count: usize) -> Result<Run> {
        let mut callers = Callers::of(self.shop, count)?;
        let buying = callers.run(self.options.warm_up(), self.options.window());
        let (ours, ours_busy) = account(self.database, self.cores, buying).await?;
        let waited = callers.take_waited();
        let running = self.pgbench.run(number, count, self.options.window());
        let (theirs, theirs_busy) = account(self.database, self.cores, running).await?;
        let details = details(json!({
            "callers": count,
            "postgres_core_busy": ours_busy,
            "yardstick_postgres_core_busy": theirs_busy,
            "waited_for_a_pass_to_end": waited,
        }));
        Ok(Run { value: ours, yardstick: theirs, details })
    }
}

/// What one run did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Work {
    /// Purchases per second of the window.
    pub per_second: f64,
    /// Purchases in all.
    pub done: i64,
}

/// Holds a run to the charges that it made. Returns purchases per second, and the part of the run
/// for which the core of PostgreSQL was busy.
pub async fn account(
    database: &Database,
    cores: &Cores,
    run: impl Future<Output = Result<Work>>,
) -> Result<(f64, f64)> {
    database.query("CHECKPOINT").await?;
    let charges_before = database.charges().await?;
    let (busy_before, began) = (cores.server_core_busy()?, Instant::now());
    let work = run.await?;
    let busy = cores.server_core_busy()?.saturating_sub(busy_before).as_secs_f64();
    let busy = busy / began.elapsed().as_secs_f64();
    let charged = database.charges().await? - charges_before;
    ensure!(charged == work.done, "{} purchases made {charged} charges", work.done);
    Ok((work.per_second, ((busy * 100.0).round() / 100.0).min(1.0)))
}
