//! How much of everything a number of users needs: unit costs, a model of a day, arithmetic.
//!
//! Owns `plasma-load size`. The costs are measured by the profile `costs` and are in
//! `load-tests/costs.json`; what people do is the model that the profile `peak` plays; `--check` holds
//! both against reports of other loads. What is measured, what is assumed and what follows is in
//! docs/SCALING.md.

mod assumptions;
mod capacity;
mod check;
mod cost;
mod costs;
mod demand;
mod document;
mod model;
#[cfg(test)]
mod tests;
mod text;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;

pub use assumptions::{Machines, Traffic};
pub use capacity::{Resource, Sizing};
pub use check::{Comparison, Measured, Part};
pub use cost::Cost;
pub use costs::{Costs, Doings, Idle, Unit, Units};
pub(crate) use demand::SWEEPS_PER_SECOND;
pub use demand::{Demand, Kept, Nodes, Premises};
pub use model::{Derived, Model};
pub use text::{Form, units};

/// The sizes that `--markdown` prints.
const SIZES: [f64; 3] = [1e4, 1e6, 1e8];

/// What `plasma-load size` is asked for.
#[derive(Debug, Clone, Args)]
pub struct SizeArguments {
    /// What people do.
    #[command(flatten)]
    pub model: Model,
    /// How messages fall out.
    #[command(flatten)]
    pub traffic: Traffic,
    /// What machines can do.
    #[command(flatten)]
    pub machines: Machines,
    /// Unit costs of the profile `costs`; those of load-tests/costs.json where unset
    #[arg(long)]
    pub costs: Option<PathBuf>,
    /// Print Markdown: unit costs, and what 10 thousand, 1 million and 100 million users need
    #[arg(long)]
    pub markdown: bool,
    /// Put that into a document, such as docs/SCALING.md, between its marks
    #[arg(long)]
    pub document: Option<PathBuf>,
    /// Reports of other loads, to hold the unit costs against
    #[arg(long, num_args = 1.., value_name = "REPORT")]
    pub check: Vec<PathBuf>,
    /// How many times predictions may differ from what was measured
    #[arg(long, default_value_t = 2.0)]
    pub factor: f64,
    /// Folder in which to keep of the checked reports what the check needs
    #[arg(long, requires = "check")]
    pub extract: Option<PathBuf>,
}

/// Sizes or checks. Whether what was checked holds.
pub fn run(arguments: &SizeArguments) -> Result<bool> {
    let costs = match &arguments.costs {
        Some(path) => Costs::read(path)?,
        None => Costs::checked_in()?,
    };
    if !arguments.check.is_empty() {
        return check(arguments, &costs);
    }
    let SizeArguments { model, traffic, machines, .. } = arguments;
    model.check()?;
    traffic.check()?;
    machines.check()?;
    let premises = Premises { model, traffic, machines, costs: &costs };
    let form = arguments.form();
    let users = if form == Form::Markdown { SIZES.to_vec() } else { vec![model.users] };
    let sizings: Result<Vec<_>> = users.into_iter().map(|users| premises.size(users)).collect();
    let of = format!("{} ({}), {}", costs.machine, costs.build, costs.target);
    let (sizings, found) = (text::sizings(&sizings?, form), premises.bottlenecks()?);
    let found = text::bottlenecks(&found, form);
    let tables = if form == Form::Markdown {
        let (units, sizes) = (text::units(&costs, form), text::sizes(&costs, form));
        format!(
            "**Measured** on {of}:\n\n{units}\n\n{sizes}\n\n**Computed** from that:\n\n{sizings}\n\n\
             **Computed**, with one PostgreSQL, one Redis and as many nodes as are needed:\n\n{found}"
        )
    } else {
        format!(
            "{sizings}\n\nWith one PostgreSQL, one Redis and as many nodes as are needed:\n{found}\n\n\
             from unit costs of {of}"
        )
    };
    arguments.tell("size", &tables)?;
    Ok(true)
}

impl SizeArguments {
    fn form(&self) -> Form {
        if self.markdown || self.document.is_some() { Form::Markdown } else { Form::Plain }
    }

    fn tell(&self, mark: &str, tables: &str) -> Result<()> {
        let Some(path) = &self.document else {
            println!("{tables}");
            return Ok(());
        };
        document::put(path, mark, tables)
    }
}

fn check(arguments: &SizeArguments, costs: &Costs) -> Result<bool> {
    let factor = arguments.factor;
    ensure!(factor.is_finite() && factor >= 1.0, "--factor must be at least 1, and is {factor}");
    let mut compared = Vec::new();
    for path in &arguments.check {
        let measured = Measured::read(path)?;
        let of_report = measured.compare(costs).with_context(|| path.display().to_string())?;
        compared.extend(of_report);
        if let Some(folder) = &arguments.extract {
            let name = path.file_name().context("a report is a file")?;
            std::fs::create_dir_all(folder)?;
            let mut kept = serde_json::to_string_pretty(&measured)?;
            kept.push('\n');
            std::fs::write(folder.join(name), kept)?;
        }
    }
    let counting = compared.iter().filter(|it| it.counts).count();
    ensure!(counting > 0, "nothing in these reports is large enough to compare: load for longer");
    let wrong = compared.iter().filter(|it| !it.holds(factor)).count();
    let table = text::comparisons(&compared, factor, arguments.form());
    let verdict = format!("{wrong} of {counting} predictions differ by more than {factor} times.");
    arguments.tell("check", &format!("{table}\n\n{verdict}"))?;
    Ok(wrong == 0)
}
