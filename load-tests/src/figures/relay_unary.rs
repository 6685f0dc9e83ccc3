//! `relay.unary`: what a message that is acknowledged online costs the server, compared with a
//! relay that does nothing but relay.

use std::net::SocketAddr;
use std::process;

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use plasma_proto::billing::v1::AcceptedPrice;
use plasma_testkit::{Node, Onboarding, Platform};
use serde_json::{Map, Value, json};
use tonic::transport::Channel;

use super::progress;
use crate::enrollment::{Enrolled, USERS_PER_PLATFORM, enroll_users};
use crate::generator::{BareProtocol, Load, PlasmaProtocol, Protocol};
use crate::machine::{Cores, Usage};
use crate::options::{FigureName, Options};
use crate::relay::RelayProcess;
use crate::report::{Figure, Run};

const NAME: &str = FigureName::RelayUnary.name();
/// Below this the server waited for work, and batches differ from those at saturation.
const BUSY_MIN: f64 = 0.95;
/// Windows that may be void before the figure is given up.
const VOID_MAX: u32 = 8;
const CHATS_AT_A_TIME: usize = 8;

type Pair = ([Enrolled; 2], String);

/// One measured window.
struct Sample {
    micros_per_message: f64,
    messages_per_second: f64,
    busy: f64,
    share: f64,
    /// The part of its core that the generator used.
    generator_share: f64,
}

/// Measures.
pub async fn measure(options: &Options, cores: &Cores) -> Result<Figure> {
    let relay = RelayProcess::start().await?;
    progress(NAME, "starting `plasma serve` on its embedded default");
    let node = Node::builder().env("TOKIO_WORKER_THREADS", "1").start().await?;
    let pairs = enroll_pairs(&node, options.connections()).await?;

    cores.pin_server(node.pid())?;
    cores.pin_server(relay.pid())?;
    cores.pin_generator(process::id())?;
    let runs = pairs_of_runs(options, &node, &relay, &pairs).await;
    cores.unpin(process::id())?;
    Ok(Figure::of(NAME, "server CPU µs/message", runs?))
}

async fn pairs_of_runs(
    options: &Options,
    node: &Node,
    relay: &RelayProcess,
    pairs: &[Pair],
) -> Result<Vec<Run>> {
    let address = SocketAddr::from(([127, 0, 0, 1], node.port()));
    let mut voids = 0;
    let mut runs = Vec::new();
    for number in 1..=options.runs {
        let ours =
            clean_sample(options, node.pid(), address, &mut voids, || PlasmaProtocol::new(pairs));
        let ours = ours.await.context("the load on `plasma serve`")?;
        say(number, options.runs, "plasma", &ours);
        let bare = clean_sample(options, relay.pid(), relay.address(), &mut voids, || {
            BareProtocol::new(pairs.len() * 2)
        });
        let bare = bare.await.context("the load on the bare relay")?;
        say(number, options.runs, "bare relay", &bare);
        let (value, yardstick) = (ours.micros_per_message, bare.micros_per_message);
        runs.push(Run { value, yardstick, details: details(options, &ours, &bare) });
    }
    Ok(runs)
}

fn details(options: &Options, ours: &Sample, bare: &Sample) -> Map<String, Value> {
    let fields = json!({
        "connections": options.connections(),
        "in_flight": options.in_flight,
        "messages_per_second": ours.messages_per_second.round(),
        "yardstick_messages_per_second": bare.messages_per_second.round(),
        "server_busy": round(ours.busy),
        "yardstick_server_busy": round(bare.busy),
        "server_share_of_core": round(ours.share),
        "yardstick_server_share_of_core": round(bare.share),
        "generator_share_of_core": round(ours.generator_share),
        "yardstick_generator_share_of_core": round(bare.generator_share),
    });
    fields.as_object().cloned().unwrap_or_default()
}

fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

fn say(number: u32, runs: u32, server: &str, sample: &Sample) {
    let Sample { micros_per_message, messages_per_second, busy, share, generator_share } = sample;
    let what = format!(
        "run {number} of {runs}, {server}: {micros_per_message:.1} µs/message, \
         {messages_per_second:.0} messages/s, server busy {:.0} % (ran {:.0} %, generator {:.0} %)",
        busy * 100.0,
        share * 100.0,
        generator_share * 100.0
    );
    progress(NAME, what);
}

/// Measures windows until one is not void.
async fn clean_sample<P: Protocol>(
    options: &Options,
    pid: u32,
    address: SocketAddr,
    voids: &mut u32,
    protocol: impl Fn() -> Result<P>,
) -> Result<Sample> {
    loop {
        let (sample, stored) = sample(options, pid, address, protocol()?).await?;
        let why = if stored > 0 {
            format!("{stored} messages were stored, not relayed")
        } else if sample.busy < BUSY_MIN {
            format!("the server was busy for {:.0} % of the window only", sample.busy * 100.0)
        } else {
            return Ok(sample);
        };
        *voids += 1;
        if *voids > VOID_MAX {
            bail!("{voids} windows were void, the last one because {why}");
        }
        progress(NAME, format!("void, and repeated: {why}"));
    }
}

/// Loads a server, and measures once it is warm. Every message is accounted for.
async fn sample<P: Protocol>(
    options: &Options,
    pid: u32,
    address: SocketAddr,
    protocol: P,
) -> Result<(Sample, u64)> {
    let mut load = Load::start(address, protocol, options.in_flight).await?;
    load.run(options.warm_up()).await?;
    let usages = || Ok::<_, anyhow::Error>((Usage::of(pid)?, Usage::of(process::id())?));
    let (done_before, before) = (load.tally().done, usages()?);
    load.run(options.window()).await?;
    let (done_after, after) = (load.tally().done, usages()?);
    let tally = load.finish().await?;

    let (spent, own) = (after.0.since(&before.0), after.1.since(&before.1));
    let messages = count(done_after - done_before)?;
    let seconds = spent.cpu.as_secs_f64() / spent.share;
    let sample = Sample {
        micros_per_message: spent.cpu.as_secs_f64() * 1e6 / messages,
        messages_per_second: messages / seconds,
        busy: spent.busy,
        share: spent.share,
        generator_share: own.share,
    };
    Ok((sample, tally.stored))
}

fn count(messages: u64) -> Result<f64> {
    ensure!(messages > 0, "no message was done in the window");
    Ok(u32::try_from(messages).context("too many messages to count")?.into())
}

/// Enrolls users on as many platforms as that takes, and opens a free chat for every two.
async fn enroll_pairs(node: &Node, devices: usize) -> Result<Vec<Pair>> {
    progress(NAME, format!("enrolling {devices} devices and opening {} chats", devices / 2));
    let channel = node.channel()?;
    let mut pairs = Vec::with_capacity(devices / 2);
    while pairs.len() * 2 < devices {
        let users = USERS_PER_PLATFORM.min(devices - pairs.len() * 2);
        let onboarding = Onboarding::free("Bench");
        let platform = Platform::onboard(channel.clone(), node.operator_key(), &onboarding).await?;
        let mut users = enroll_users(&channel, &platform, users).await?;
        let mut couples = Vec::new();
        while let (Some(first), Some(second)) = (users.pop(), users.pop()) {
            couples.push([first, second]);
        }
        let opened = stream::iter(couples.into_iter().map(|couple| open_chat(&channel, couple)));
        let opened: Vec<Pair> = opened.buffer_unordered(CHATS_AT_A_TIME).try_collect().await?;
        pairs.extend(opened);
    }
    Ok(pairs)
}

async fn open_chat(channel: &Channel, couple: [Enrolled; 2]) -> Result<Pair> {
    let link = couple[0].create_link(channel).await?;
    let chat = couple[1].open_chat(channel, &link, AcceptedPrice::default()).await?;
    Ok((couple, chat))
}
