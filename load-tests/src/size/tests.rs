use super::{
    Cost, Costs, Doings, Idle, Machines, Measured, Model, Part, Premises, Resource, Traffic, Unit,
    Units,
};

use std::collections::BTreeMap;

fn micros(node_micros: f64, postgres_micros: f64, redis_micros: f64) -> Cost {
    Cost { node_micros, postgres_micros, redis_micros, ..Cost::default() }
}

fn once(each: Cost) -> Unit {
    Unit { times: 100.0, each }
}

/// Round numbers, to reckon with by hand.
fn costs() -> Costs {
    Costs {
        machine: "made up".to_owned(),
        build: "release".to_owned(),
        target: "3 nodes".to_owned(),
        is_scaled: true,
        transport: "unary".to_owned(),
        ciphertext_length: 1_024.0,
        node: Idle { resident_kib: 51_200.0, second: micros(1_000.0, 500.0, 0.0) },
        device: Idle { resident_kib: 50.0, second: micros(20.0, 0.0, 0.0) },
        units: Units {
            sign_in: once(micros(1_000.0, 500.0, 10.0)),
            visit: once(micros(500.0, 300.0, 30.0)),
            near: once(micros(100.0, 0.0, 0.0)),
            far: Some(once(micros(200.0, 0.0, 20.0))),
            look_up: once(micros(400.0, 600.0, 0.0)),
            stored: once(Cost { wal_bytes: 1_500.0, ..micros(100.0, 50.0, 10.0) }),
            commit: once(Cost { write_transactions: 1.0, ..micros(50.0, 100.0, 0.0) }),
            first_taken: once(micros(150.0, 200.0, 0.0)),
            further_taken: once(micros(60.0, 40.0, 0.0)),
            swept: once(micros(0.5, 0.5, 0.0)),
            chat: once(Cost { wal_bytes: 2_000.0, ..Cost::default() }),
            user: once(Cost { wal_bytes: 10_000.0, ..Cost::default() }),
        },
        chat_kib: 1.0,
        commit_millis: 2.0,
        envelope_bytes: 2_000.0,
    }
}

/// One device a user, no receipts, so that a message is an envelope.
fn plain() -> Traffic {
    Traffic {
        receipts_per_message: 0.0,
        devices_per_user: 1.0,
        share_away: 0.4,
        share_looked_up: 0.5,
        hours_stored: 4.0,
        envelope_bytes: 1_024.0,
        share_new: 0.0,
        enrolled_per_daily_user: 2.0,
        chats_kept: 10.0,
        prekey_bytes: 0.0,
        media_per_user: 1.0,
        media_kib: 1_000.0,
        media_hours: 24.0,
    }
}

fn machines() -> Machines {
    Machines {
        utilisation: 0.5,
        node_cores: 2.0,
        node_gib: 8.0,
        node_connections: 10_000.0,
        node_database_connections: 20.0,
        postgres_cores: 4.0,
        postgres_wal_mb: 100.0,
        postgres_commits: 5_000.0,
        postgres_disk_gb: 100.0,
        postgres_connections: 100_000.0,
        partition_rows: 100_000.0,
        redis_cores: 1.0,
    }
}

fn close(value: f64, expected: f64) {
    assert!((value - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{value} for {expected}");
}

#[test]
fn ten_thousand_users_come_to_what_is_reckoned_by_hand() {
    let (model, traffic, machines, costs) = (Model::default(), plain(), machines(), costs());
    let premises =
        Premises { model: &model, traffic: &traffic, machines: &machines, costs: &costs };
    let demand = premises.demand(10_000.0).unwrap();
    // 25 messages/s and 6.25 visits/s in the peak hour, twice that in its busiest minutes.
    close(demand.messages, 50.0);
    close(demand.stored, 20.0);
    close(demand.visits, 12.5);
    close(demand.connected, 3_750.0);
    // One node and a spare one carry that, so that half of the 30 online messages go between them.
    close(demand.nodes.all, 2.0);
    // Each node commits 10 envelopes/s in 10/1.02 transactions; sweeps of 2 nodes, twice a second,
    // come by 200 rows.
    let commits = 2.0 * 10.0 / 1.02;
    close(demand.second.write_transactions, commits);
    // 20 envelopes of 1,500 bytes, and five chats in six seconds.
    close(demand.second.wal_bytes, 30_000.0 + 2_000.0 * 5.0 / 6.0);
    let postgres = 2.0 * 500.0            // idle nodes
        + 12.5 * (500.0 + 300.0)          // sign-ins and visits
        + 25.0 * 600.0                    // look-ups
        + 20.0 * 50.0 + commits * 100.0   // stored
        + 12.5 * 200.0 + 7.5 * 40.0       // taken: the first of each visit, and the rest
        + 800.0 * 0.5; // swept
    close(demand.second.postgres_micros, postgres);
    let redis = 12.5 * 40.0 + 15.0 * 20.0 + 20.0 * 10.0;
    close(demand.second.redis_micros, redis);
    // 600,000 messages a day, 40 % stored for a sixth of it.
    close(demand.kept.waiting, 40_000.0);
    close(demand.kept.waiting_gb, 0.08);
    // 20,000 users of 10,000 bytes and half of ten chats.
    close(demand.kept.accounts_gb, 0.4);
    close(demand.kept.media_gb, 10.24);
    let sizing = premises.size(10_000.0).unwrap();
    close(sizing.cells, 1.0);
    close(sizing.partitions, 1.0);
}

#[test]
fn more_users_never_need_less() {
    let (model, traffic, machines, costs) = (Model::default(), plain(), machines(), costs());
    let premises =
        Premises { model: &model, traffic: &traffic, machines: &machines, costs: &costs };
    let mut before = None;
    for step in 0..60 {
        let users = 1_000.0 * 1.3_f64.powi(step);
        let sizing = premises.size(users).unwrap();
        let needs = [
            sizing.cells,
            sizing.cells * sizing.cell.nodes.all,
            sizing.cells * sizing.cell.kept.waiting_gb,
            sizing.cells * sizing.cell.second.wal_bytes,
            sizing.cells * sizing.redis_shards,
        ];
        if let Some(before) = before {
            let pairs: Vec<(f64, f64)> = std::iter::zip(before, needs).collect();
            // A cell more may carry the same with a little less in each.
            assert!(pairs.iter().all(|(less, more)| *more >= less * 0.9), "{users}: {pairs:?}");
        }
        before = Some(needs);
    }
}

#[test]
fn what_runs_out_first_is_what_is_scarce() {
    let (model, traffic, costs) = (Model::default(), plain(), costs());
    let first = |machines: Machines| {
        let premises =
            Premises { model: &model, traffic: &traffic, machines: &machines, costs: &costs };
        let found = premises.bottlenecks().unwrap();
        assert!(found.is_sorted_by(|one, other| one.1 <= other.1), "{found:?}");
        found[0].0
    };
    assert_eq!(first(machines()), Resource::PostgresCpu);
    let strong = Machines { postgres_cores: 10_000.0, ..machines() };
    assert_eq!(first(Machines { postgres_disk_gb: 1.0, ..strong }), Resource::PostgresDisk);
    assert_eq!(first(Machines { postgres_wal_mb: 0.1, ..strong }), Resource::PostgresLog);
    assert_eq!(first(Machines { postgres_commits: 1.0, ..strong }), Resource::PostgresCommits);
    assert_eq!(first(Machines { redis_cores: 0.01, ..strong }), Resource::RedisCpu);
    let few = Machines { postgres_connections: 80.0, ..strong };
    assert_eq!(first(few), Resource::PostgresConnections);
}

#[test]
fn sweeps_take_a_whole_node_at_last_however_many_there_are() {
    let (model, traffic, machines, costs) = (Model::default(), plain(), machines(), costs());
    let premises =
        Premises { model: &model, traffic: &traffic, machines: &machines, costs: &costs };
    // Of half of two cores an idle node takes 1 ms, and two sweeps 10 µs for each envelope stored
    // per second: 99,900 of those, and 10,000 users store 20.
    let users = premises.capacity(Resource::Sweeps).unwrap().unwrap();
    assert!((users / 49_950_000.0 - 1.0).abs() < 1e-3, "{users}");
    assert!(premises.demand(users * 1.01).unwrap().nodes.all.is_infinite());
}

#[test]
fn at_a_capacity_a_resource_is_used_as_much_as_it_may_be() {
    let (model, traffic, machines, costs) = (Model::default(), plain(), machines(), costs());
    let premises =
        Premises { model: &model, traffic: &traffic, machines: &machines, costs: &costs };
    let users = premises.capacity(Resource::RedisCpu).unwrap().unwrap();
    let used = |users| Resource::RedisCpu.used(&premises.demand(users).unwrap(), &machines);
    assert!(used(users) <= 0.5 && used(users * 1.01) > 0.5, "{users}");
}

#[test]
fn bad_numbers_are_refused_by_name() {
    plain().check().unwrap();
    machines().check().unwrap();
    let share = Traffic { share_away: 1.5, ..plain() }.check().unwrap_err().to_string();
    assert!(share.starts_with("--share-away"), "{share}");
    let devices = Traffic { devices_per_user: 0.5, ..plain() }.check().unwrap_err().to_string();
    assert!(devices.starts_with("--devices-per-user"), "{devices}");
    let cores = Machines { node_cores: 0.0, ..machines() }.check().unwrap_err().to_string();
    assert!(cores.starts_with("--node-cores"), "{cores}");
    let mut wrong = costs();
    wrong.units.near.each.node_micros = -1.0;
    let error = wrong.check().unwrap_err().to_string();
    assert!(error.starts_with("near"), "{error}");
}

#[test]
fn messages_between_nodes_are_not_reckoned_with_costs_of_one_node() {
    let mut costs = costs();
    costs.units.far = None;
    assert!(costs.of(&Doings { near: 5.0, ..Doings::default() }).is_ok());
    let error = costs.of(&Doings { far: 5.0, ..Doings::default() }).unwrap_err().to_string();
    assert!(error.contains("--nodes 3"), "{error}");
}

/// A load of which each number was reckoned by hand from [`costs`].
fn measured() -> Measured {
    Measured {
        profile: "connected".to_owned(),
        target: "3 nodes on PostgreSQL and Redis".to_owned(),
        nodes: 3.0,
        transport: "unary".to_owned(),
        ciphertext_length: 1_024.0,
        sealed_devices: 0,
        phases: vec![Part {
            name: "traffic".to_owned(),
            seconds: 60.0,
            accepted: 10_000.0,
            stored: 0.0,
            received: 10_000.0,
            happenings: BTreeMap::from([("looked_up".to_owned(), 5_000.0)]),
            listening: [1_000.0, 1_000.0],
            // 180 node-seconds of 1 ms, 60,000 device-seconds of 20 µs, 10,000 messages of 200 µs,
            // 5,000 look-ups of 400 µs.
            server_cpu_seconds: 0.18 + 1.2 + 2.0 + 2.0,
            server_resident_mib: 150.0 + 1_000.0 * 50.0 / 1_024.0 + 5_000.0 / 1_024.0,
            postgres_cpu_seconds: Some(0.09 + 3.0),
            redis_cpu_seconds: Some(0.2),
            wal_bytes: Some(0.0),
        }],
    }
}

#[test]
fn a_load_is_predicted_from_what_was_done_in_it() {
    let compared = measured().compare(&costs()).unwrap();
    assert_eq!(compared.len(), 5);
    for it in &compared {
        close(it.predicted, it.measured);
        assert!(it.holds(1.01), "{it:?}");
    }
    let counting: Vec<_> = compared.iter().filter(|it| it.counts).map(|it| it.quantity).collect();
    assert_eq!(counting, ["node CPU, s", "PostgreSQL CPU, s", "memory added, MiB"]);
}

#[test]
fn reports_that_say_nothing_of_the_costs_are_refused() {
    let refused = |change: fn(&mut Measured)| {
        let mut measured = measured();
        change(&mut measured);
        measured.compare(&costs()).unwrap_err().to_string()
    };
    assert!(refused(|it| it.sealed_devices = 2).contains("--sealed 0"));
    assert!(refused(|it| it.profile = "costs".to_owned()).contains("proves nothing"));
    assert!(refused(|it| it.transport = "connect".to_owned()).contains("connect"));
    assert!(refused(|it| it.phases[0].postgres_cpu_seconds = None).contains("the unit costs are"));
}
