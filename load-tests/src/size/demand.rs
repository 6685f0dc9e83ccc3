//! What a number of users needs of nodes, one PostgreSQL and one Redis in their busiest minutes.

use anyhow::Result;

use super::assumptions::{Machines, Traffic};
use super::cost::Cost;
use super::costs::{Costs, Doings};
use super::model::Model;

/// A sweep looks at what was stored for so many seconds.
pub(super) const SWEPT_SECONDS: f64 = 10.0;
/// Sweeps of a node in a second.
pub(crate) const SWEEPS_PER_SECOND: f64 = 2.0;
/// For so many seconds a node remembers what it looked up.
const KNOWN_SECONDS: f64 = 300.0;
/// Rounds until the number of nodes is settled.
const ROUNDS_MAX: u32 = 8;
const MICROS: f64 = 1e6;

/// Everything that a sizing reckons with.
#[derive(Debug, Clone, Copy)]
pub struct Premises<'a> {
    /// What people do.
    pub model: &'a Model,
    /// How messages fall out.
    pub traffic: &'a Traffic,
    /// What machines can do.
    pub machines: &'a Machines,
    /// What each thing costs.
    pub costs: &'a Costs,
}

/// What users need in their busiest minutes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demand {
    /// Messages per second, without receipts.
    pub messages: f64,
    /// Envelopes per second, receipts' and own devices' among them.
    pub envelopes: f64,
    /// Envelopes per second that are stored.
    pub stored: f64,
    /// Visits per second.
    pub visits: f64,
    /// Devices connected.
    pub connected: f64,
    /// Cost of a second.
    pub second: Cost,
    /// Cost of the sweeps in it.
    pub sweeps: Cost,
    /// Nodes.
    pub nodes: Nodes,
    /// What is kept.
    pub kept: Kept,
}

/// The nodes that are needed, not rounded, by what they run out of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nodes {
    /// By their CPU; infinite where the sweeps alone take a node.
    pub by_cpu: f64,
    /// By their memory.
    pub by_memory: f64,
    /// By their connections.
    pub by_connections: f64,
    /// Whole ones, and a spare one.
    pub all: f64,
}

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kept {
    /// Envelopes that wait at a time.
    pub waiting: f64,
    /// GB of them.
    pub waiting_gb: f64,
    /// GB of users, devices, prekeys and chats.
    pub accounts_gb: f64,
    /// GB of photos and videos at a time.
    pub media_gb: f64,
    /// Photos and videos that come per second.
    pub media: f64,
}

impl Premises<'_> {
    /// What so many users need where one PostgreSQL and one Redis serve all of them.
    pub fn demand(&self, users: f64) -> Result<Demand> {
        let model = self.model.of_users(users);
        let flow = Flow::of(&model, self.traffic);
        let mut needed = self.nodes(&flow, 1.0)?;
        // The more nodes, the more messages go between two of them: up from one until it fits.
        for _ in 0..ROUNDS_MAX {
            if !needed.all.is_finite() {
                break;
            }
            let next = self.nodes(&flow, needed.all)?;
            needed = Nodes { all: next.all.max(needed.all), ..next };
        }
        // Without end: the rest is told of a number that can be reckoned with.
        let reckoned = if needed.all.is_finite() { needed.all } else { 1.0 };
        let mut second = self.costs.of(&flow.doings(reckoned, self.costs))?;
        let longer = self.traffic.envelope_bytes - self.costs.ciphertext_length;
        second.wal_bytes = (second.wal_bytes + flow.stored * longer).max(0.0);
        let kept = self.kept(&model);
        Ok(Demand {
            messages: flow.messages,
            envelopes: flow.envelopes,
            stored: flow.stored,
            visits: flow.visits,
            connected: flow.connected,
            second,
            sweeps: self.sweeps(&flow) * reckoned,
            nodes: needed,
            kept,
        })
    }

    /// What a node sweeps in a second, however many users are on others.
    fn sweeps(&self, flow: &Flow) -> Cost {
        self.costs.units.swept.each * (SWEEPS_PER_SECOND * flow.stored * SWEPT_SECONDS)
    }

    /// The nodes that are needed where there are so many.
    fn nodes(&self, flow: &Flow, nodes: f64) -> Result<Nodes> {
        let Self { machines, costs, .. } = *self;
        // What each node does for being one leaves it less for users.
        let for_itself = costs.node.second.node_micros + self.sweeps(flow).node_micros;
        let room = machines.node_cores * machines.utilisation * MICROS - for_itself;
        let work = costs.of(&flow.doings(nodes, costs))?.node_micros - nodes * for_itself;
        let by_cpu = part(work, room);
        let memory = costs.resident_mib(0.0, flow.connected, flow.look_ups * KNOWN_SECONDS);
        let room =
            machines.node_gib * 1_024.0 * machines.utilisation - costs.resident_mib(1.0, 0.0, 0.0);
        let by_memory = part(memory, room);
        let by_connections = flow.connected / (machines.node_connections * machines.utilisation);
        let most = by_cpu.max(by_memory).max(by_connections);
        // One more, so that any one can be away.
        Ok(Nodes { by_cpu, by_memory, by_connections, all: most.ceil().max(1.0) + 1.0 })
    }

    /// What is kept, of a day as a whole.
    fn kept(&self, model: &Model) -> Kept {
        let Self { traffic, costs, .. } = *self;
        let sends = model.users * model.messages_per_user * (1.0 + traffic.receipts_per_message);
        let stored = sends * traffic.envelopes_per_send() * traffic.share_away;
        let waiting = stored * traffic.hours_stored / 24.0;
        let longer = traffic.envelope_bytes - costs.ciphertext_length;
        // What stays of a user or a chat is no more than what it adds to the log.
        let (user, chat) = (costs.units.user.each.wal_bytes, costs.units.chat.each.wal_bytes);
        let of_devices = (user + traffic.prekey_bytes) * traffic.devices_per_user;
        let of_user = of_devices + traffic.chats_kept * chat / 2.0;
        let media = model.users * traffic.media_per_user;
        let media_at_a_time = media * traffic.media_hours / 24.0;
        Kept {
            waiting,
            waiting_gb: waiting * (costs.envelope_bytes + longer).max(0.0) / 1e9,
            accounts_gb: model.users * traffic.enrolled_per_daily_user * of_user / 1e9,
            media_gb: media_at_a_time * traffic.media_kib * 1_024.0 / 1e9,
            media: model.per_second(traffic.media_per_user) * model.busiest_minutes,
        }
    }
}

/// What happens in a second of the busiest minutes.
struct Flow {
    messages: f64,
    envelopes: f64,
    stored: f64,
    visits: f64,
    connected: f64,
    look_ups: f64,
    chats: f64,
    users: f64,
}

impl Flow {
    fn of(model: &Model, traffic: &Traffic) -> Self {
        let (derived, busy) = (model.derived(), model.busiest_minutes);
        let messages = derived.messages_per_second_in_busiest_minutes;
        let sends = messages * (1.0 + traffic.receipts_per_message);
        let envelopes = sends * traffic.envelopes_per_send();
        Self {
            messages,
            envelopes,
            stored: envelopes * traffic.share_away,
            visits: derived.visits_per_second * busy,
            connected: derived.devices_connected * busy,
            look_ups: sends * traffic.share_looked_up,
            chats: derived.chats_per_second * busy,
            users: model.per_second(traffic.share_new) * busy,
        }
    }

    /// The same as unit costs count it, spread over nodes by chance. What is stored in the long run
    /// is taken as well.
    fn doings(&self, nodes: f64, costs: &Costs) -> Doings {
        let online = self.envelopes - self.stored;
        let near = online / nodes;
        let first_taken = self.visits.min(self.stored);
        Doings {
            node_seconds: nodes,
            device_seconds: self.connected,
            sign_ins: self.visits,
            visits: self.visits,
            near,
            far: online - near,
            look_ups: self.look_ups,
            stored: self.stored,
            commits: nodes * costs.commits(self.stored / nodes),
            first_taken,
            further_taken: self.stored - first_taken,
            swept: nodes * SWEEPS_PER_SECOND * self.stored * SWEPT_SECONDS,
            chats: self.chats,
            users: self.users,
        }
    }
}

/// How many rooms something takes; no number of them where there is no room.
fn part(needed: f64, room: f64) -> f64 {
    if room > 0.0 { needed / room } else { f64::INFINITY }
}
