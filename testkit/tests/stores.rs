//! The observer of the stores: it sees what is written, and nothing where nothing is.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use plasma_testkit::postgres::Programs;
use plasma_testkit::{PrivatePostgres, PrivateRedis, Stores, resp};

#[test]
fn a_row_written_on_a_connection_that_stays_open_is_counted() {
    let (postgres, redis) = (PrivatePostgres::start().unwrap(), PrivateRedis::start().unwrap());
    let (url, programs) = (postgres.create_database().unwrap(), Programs::find().unwrap());
    programs.query(&url, "CREATE TABLE t (n int)").unwrap();
    let stores = Stores::scaled(&url, &redis.url()).unwrap();
    let mut client = Command::new("psql")
        .args(["-X", "-q", "-d", &url])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = client.stdin.take().unwrap();
    // The first statement publishes; the second follows within a second and is held back.
    writeln!(input, "INSERT INTO t VALUES (1);").unwrap();
    input.flush().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let before = stores.settled().unwrap();
    writeln!(input, "SELECT 1;\nINSERT INTO t VALUES (2);\nUPDATE t SET n = 3 WHERE n = 2;")
        .unwrap();
    input.flush().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    let change = stores.settled().unwrap().since(&before);
    drop(input);
    client.wait().unwrap();
    assert_eq!((change.rows, change.tables["t"]), (2, 2), "{change}, after {:?}", begun.elapsed());
    assert!(!change.stored_nothing());
}

#[test]
fn reads_and_publishing_store_nothing_and_a_redis_value_does() {
    let (postgres, redis) = (PrivatePostgres::start().unwrap(), PrivateRedis::start().unwrap());
    let (url, programs) = (postgres.create_database().unwrap(), Programs::find().unwrap());
    programs.query(&url, "CREATE TABLE t (n int)").unwrap();
    let stores = Stores::scaled(&url, &redis.url()).unwrap();
    let address = resp::address(&redis.url()).unwrap();

    let before = stores.settled().unwrap();
    programs.query(&url, "SELECT * FROM t").unwrap();
    resp::call(address, &["SPUBLISH", "channel", "hint"], Duration::from_secs(1)).unwrap();
    let after = stores.settled().unwrap();
    let change = after.since(&before);
    assert!(change.stored_nothing(), "{change}");
    assert_eq!(change.redis.into_iter().collect::<Vec<_>>(), [("spublish".to_owned(), 1)]);

    resp::call(address, &["SET", "key", "value"], Duration::from_secs(1)).unwrap();
    let change = stores.settled().unwrap().since(&after);
    assert_eq!(change.redis_beyond_bus(), ["set"]);
    assert!(!change.stored_nothing());
}

#[test]
fn a_file_rewritten_in_place_is_seen_and_a_log_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("plasma.db");
    std::fs::write(&database, b"one").unwrap();
    let stores = Stores::embedded(folder.path());
    let before = stores.settled().unwrap();
    for passed_over in ["node-1.log", "plasma.db-shm"] {
        std::fs::write(folder.path().join(passed_over), b"noise").unwrap();
    }
    assert!(stores.settled().unwrap().since(&before).stored_nothing());

    std::fs::write(&database, b"two").unwrap();
    let change = stores.settled().unwrap().since(&before);
    assert_eq!((change.files.as_slice(), change.file_bytes), ([database].as_slice(), 0));

    std::fs::write(folder.path().join("plasma.db-wal"), b"wal").unwrap();
    let change = stores.settled().unwrap().since(&before);
    assert_eq!((change.files.len(), change.file_bytes), (2, 3));
}
