//! The generator against the bare relay, over loopback.

use std::net::SocketAddr;
use std::time::Duration;

use plasma_load_tests::generator::{BareProtocol, Load, Pace, Running, StreamLoad};
use plasma_load_tests::relay;
use tokio::net::TcpListener;
use tokio::task::LocalSet;

const WINDOW: Duration = Duration::from_millis(300);

/// A relay that runs until the runtime ends.
async fn running_relay() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free loopback port");
    let address = listener.local_addr().expect("the address of a bound port");
    tokio::spawn(relay::serve_on(listener));
    address
}

async fn bare_load(
    address: SocketAddr,
    devices: usize,
    in_flight: u16,
    pace: Pace,
) -> Load<BareProtocol> {
    let protocol = BareProtocol::of(0..devices).expect("devices that are made up");
    Load::start(address, protocol, in_flight, pace).await.expect("a load on the relay")
}

#[tokio::test]
async fn every_message_of_a_load_is_sent_delivered_and_acknowledged_once() {
    let load = async {
        let address = running_relay().await;
        let mut load = bare_load(address, 6, 16, Pace::Closed).await;
        load.run(WINDOW).await.unwrap();
        let before = load.tally();
        let after = load.finish().await.unwrap();
        assert!(before.done > 16, "{before:?}");
        assert_eq!(after.done, after.delivered);
        assert_eq!((after.stored, after.repeated), (0, 0));
        assert!(after.done >= before.done && after.done <= before.done + 16, "{after:?}");
    };
    LocalSet::new().run_until(load).await;
}

#[tokio::test]
async fn a_second_load_finds_nothing_of_the_first() {
    let loads = async {
        let address = running_relay().await;
        for _ in 0..2 {
            let mut load = bare_load(address, 2, 4, Pace::Closed).await;
            load.run(WINDOW).await.unwrap();
            assert_eq!(load.finish().await.unwrap().repeated, 0);
        }
    };
    LocalSet::new().run_until(loads).await;
}

#[tokio::test]
async fn a_server_that_goes_away_fails_the_load() {
    let load = async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // On a thread of its own, whose end closes every connection.
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let server = std::thread::spawn(move || {
            let listener = listener.into_std().unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    _ = relay::serve_on(listener) => {}
                    _ = ended => {}
                }
            });
        });
        let mut load = bare_load(address, 2, 4, Pace::Closed).await;
        load.run(WINDOW).await.unwrap();
        end.send(()).unwrap();
        assert!(load.run(Duration::from_secs(20)).await.is_err());
        server.join().unwrap();
    };
    LocalSet::new().run_until(load).await;
}

async fn bare_streams(
    address: SocketAddr,
    in_flight: u16,
    burst: u16,
    pace: Pace,
) -> StreamLoad<BareProtocol> {
    let protocol = BareProtocol::of(0..6).expect("devices that are made up");
    let load = StreamLoad::start(address, protocol, in_flight, burst, pace);
    load.await.expect("a load on the relay's streams")
}

#[tokio::test]
async fn over_streams_every_message_is_sent_delivered_and_answered_once_and_in_order() {
    let loads = async {
        let address = running_relay().await;
        for burst in [1, 16] {
            let mut load = bare_streams(address, 64, burst, Pace::Closed).await;
            load.run(WINDOW).await.unwrap();
            let tally = load.finish().await.unwrap();
            assert!(tally.done > 64, "{tally:?}");
            assert_eq!((tally.done, tally.stored), (tally.delivered, 0));
            assert_eq!((tally.repeated, tally.misordered), (0, 0));
        }
    };
    LocalSet::new().run_until(loads).await;
}

#[tokio::test]
async fn an_open_loop_sends_what_is_due_and_no_more() {
    let loads = async {
        let address = running_relay().await;
        let pace = Pace::Open { per_second: 500.0 };
        let mut unary = bare_load(address, 4, 16, pace).await;
        let mut streams = bare_streams(address, 16, 1, pace).await;
        let (one, other) = tokio::join!(unary.run(WINDOW), streams.run(WINDOW));
        one.unwrap();
        other.unwrap();
        for (tally, latencies) in
            [(unary.tally(), unary.latencies()), (streams.tally(), streams.latencies())]
        {
            assert!(tally.done > 10 && tally.done <= 500, "{tally:?}");
            assert!(latencies.count >= tally.done && latencies.p50 <= latencies.p99);
        }
        unary.finish().await.unwrap();
        streams.finish().await.unwrap();
    };
    LocalSet::new().run_until(loads).await;
}
