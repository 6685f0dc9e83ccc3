//! The private servers, against the programs that are installed here.

use std::path::Path;
use std::time::Duration;

use plasma_testkit::postgres::Programs;
use plasma_testkit::{PrivatePostgres, PrivateRedis, resp};

const SECOND: Duration = Duration::from_secs(1);

fn runs(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}/status")).exists()
}

#[test]
fn a_private_postgres_serves_fresh_databases_and_leaves_nothing() {
    let postgres = PrivatePostgres::start().unwrap();
    let programs = Programs::find().unwrap();
    let (pid, folder) = (postgres.pid(), postgres.data_dir());
    let (one, two) = (postgres.create_database().unwrap(), postgres.create_database().unwrap());
    assert_ne!(one, two);
    programs.query(&one, "CREATE TABLE t (n int)").unwrap();
    programs.query(&one, "INSERT INTO t VALUES (1), (2)").unwrap();
    assert_eq!(programs.query(&one, "SELECT count(*) FROM t").unwrap(), "2");
    assert!(programs.query(&two, "SELECT count(*) FROM t").is_err());
    let durable = "SELECT current_setting('fsync'), current_setting('max_connections'), \
                   current_setting('listen_addresses')";
    assert_eq!(programs.query(&one, durable).unwrap(), "on|300|127.0.0.1");
    programs.drop_database(&postgres.base_url(), &one).unwrap();
    assert!(programs.query(&one, "SELECT 1").is_err());
    assert!(runs(pid) && folder.exists());
    postgres.stop().unwrap();
    assert!(!runs(pid) && !folder.exists());
}

#[test]
fn a_dropped_postgres_ends_with_all_its_processes() {
    let postgres = PrivatePostgres::start_with(&[("max_connections", "17")]).unwrap();
    let programs = Programs::find().unwrap();
    let workers = programs
        .query(
            &postgres.base_url(),
            "SELECT pid FROM pg_stat_activity WHERE backend_type <> 'client backend'",
        )
        .unwrap();
    let workers: Vec<u32> = workers.lines().map(|pid| pid.parse().unwrap()).collect();
    assert!(workers.len() >= 3 && workers.iter().all(|pid| runs(*pid)), "{workers:?}");
    let limit = programs.query(&postgres.base_url(), "SHOW max_connections").unwrap();
    assert_eq!(limit, "17");
    drop(postgres);
    assert!(workers.iter().all(|pid| !runs(*pid)));
}

#[test]
fn a_private_redis_can_be_killed_restarted_and_frozen() {
    let mut redis = PrivateRedis::start().unwrap();
    let address = resp::address(&redis.url()).unwrap();
    resp::call(address, &["SET", "key", "value"], SECOND).unwrap();
    assert_eq!(resp::call(address, &["GET", "key"], SECOND).unwrap(), "value");

    redis.freeze().unwrap();
    let frozen = resp::call(address, &["GET", "key"], SECOND / 4);
    assert!(frozen.is_err(), "a frozen server answered {frozen:?}");
    redis.thaw().unwrap();
    assert_eq!(resp::call(address, &["GET", "key"], SECOND).unwrap(), "value");

    let killed = redis.pid();
    redis.kill().unwrap();
    assert!(!runs(killed) && resp::call(address, &["PING"], SECOND).is_err());
    redis.restart().unwrap();
    assert_ne!(redis.pid(), killed);
    assert_eq!(resp::call(address, &["DBSIZE"], SECOND).unwrap(), "0");

    let pid = redis.pid();
    drop(redis);
    assert!(!runs(pid));
}

#[test]
fn a_private_postgres_that_crashed_has_what_was_committed_when_it_is_back() {
    let postgres = PrivatePostgres::start().unwrap();
    let programs = Programs::find().unwrap();
    let url = postgres.create_database().unwrap();
    programs.query(&url, "CREATE TABLE t (n int); INSERT INTO t VALUES (1)").unwrap();
    let pid = postgres.pid();
    postgres.crash().unwrap();
    assert!(!runs(pid) && programs.query(&url, "SELECT 1").is_err());
    postgres.restart().unwrap();
    assert_eq!(programs.query(&url, "SELECT n FROM t").unwrap(), "1");
}
