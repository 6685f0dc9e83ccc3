//! What happens once nothing is lost any more: within ten exchanges everything is as it should be.

use std::collections::BTreeSet;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;

use crate::content::DeviceNo;
use crate::history::History;
use crate::oracle::Counts;
use crate::world::World;

const EXCHANGES_MAX: u64 = 10;
/// Far more deliveries than honest devices need after one exchange.
const DELIVERIES_MAX: u64 = 50_000;

/// Plays a history to its end and checks that everything converges.
pub fn play(history: &History, told: bool) -> Counts {
    let mut world = World::begin(history, told);
    let mut devices_max = world.active().len();
    for step in &history.steps {
        world.step(step);
        devices_max = devices_max.max(world.active().len());
    }
    world.net.rng = ChaCha20Rng::seed_from_u64(history.seed);
    let exchanges = heal(&mut world);
    for device in world.active() {
        world.net.oracle.check_screen(device, &world.devices[device].tables);
    }
    let excused = world.net.oracle.excused();
    let mut counts = world.net.oracle.counts;
    counts.exhausted = u64::try_from(excused).unwrap();
    counts.histories = 1;
    counts.steps = u64::try_from(history.steps.len()).unwrap();
    (counts.exchanges, counts.exchanges_max) = (exchanges, exchanges);
    counts.devices_max = devices_max;
    counts
}

/// Exchanges messages until nothing is owed, nothing needs repair, and every pair of devices agrees
/// on one session that works both ways. Returns how many exchanges it took.
fn heal(world: &mut World) -> u64 {
    settle(world);
    // What arrived in order needs no exchange: crossing initiations end on the same session.
    if let Some(reason) = disagreement(world, |device| !world.net.disturbed.contains(&device)) {
        panic!("as soon as everything is delivered, {reason}");
    }
    for exchange in 1..=EXCHANGES_MAX {
        let repairs = world.net.oracle.counts.requests;
        // First one device of each side, then, as nothing is owed any more, all of them.
        let all = exchange > 1 && world.net.oracle.debts().is_empty();
        for (device, chat) in senders(world, all, exchange) {
            world.send(device, chat, false);
            settle(world);
        }
        let clean = world.net.oracle.counts.requests == repairs;
        if all
            && clean
            && world.net.oracle.debts().is_empty()
            && disagreement(world, |_| true).is_none()
        {
            return exchange;
        }
    }
    let debts = world.net.oracle.debts();
    assert!(
        debts.is_empty(),
        "after {EXCHANGES_MAX} exchanges (message, device) are owed: {debts:?}"
    );
    match disagreement(world, |_| true) {
        Some(reason) => panic!("after {EXCHANGES_MAX} exchanges {reason}"),
        None => panic!("after {EXCHANGES_MAX} exchanges messages still need repair"),
    }
}

/// Who sends in an exchange: a device of each side of each chat in turn, or every device.
fn senders(world: &World, all: bool, exchange: u64) -> Vec<(DeviceNo, usize)> {
    let mut senders = Vec::new();
    for (chat, sides) in world.net.chats.iter().enumerate() {
        for &user in sides {
            let devices = world.net.service.devices(user);
            let turn = usize::try_from(exchange).unwrap() % devices.len();
            let chosen = if all { &devices[..] } else { &devices[turn..=turn] };
            senders.extend(chosen.iter().map(|device| (*device, chat)));
        }
    }
    senders
}

/// Sends what waits in outboxes and delivers everything, repairs included.
fn settle(world: &mut World) {
    let mut deliveries = 0;
    loop {
        let mut quiet = true;
        for device in world.active() {
            if !world.devices[device].tables.outbox.is_empty() {
                world.devices[device].flush(&mut world.net, false);
                quiet = false;
            }
            while let Some(item) = world.net.service.queue(device).unwrap().pop_front() {
                world.devices[device].take(&mut world.net, &item);
                quiet = false;
                deliveries += 1;
                assert!(deliveries < DELIVERIES_MAX, "the devices never come to rest");
            }
        }
        if quiet {
            return;
        }
    }
}

/// Finds a pair of certain devices that have written to each other and do not agree on one session.
fn disagreement(world: &World, among: impl Fn(DeviceNo) -> bool) -> Option<String> {
    let pairs = |user: usize| {
        let chats = world.net.chats.iter().filter(move |sides| sides.contains(&user));
        let users: BTreeSet<_> = chats.flatten().copied().collect();
        users.into_iter().flat_map(|user| world.net.service.devices(user))
    };
    for device in world.active().into_iter().filter(|it| among(*it)) {
        let others = pairs(world.devices[device].user);
        for other in others.filter(|other| *other > device && among(*other)) {
            let [one, two] = [(device, other), (other, device)]
                .map(|(here, there)| world.devices[here].record(world.devices[there].address()));
            if one.active_session() != two.active_session() {
                return Some(format!("devices {device} and {other} use different sessions"));
            }
        }
    }
    None
}
