//! A relay that answers OK and forgets: the book must notice.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::Uri;
use plasma_load_tests::ledger::{Ledger, Policy, Wrong};
use plasma_load_tests::meters::Meters;
use plasma_load_tests::population::bare_devices;
use plasma_load_tests::relay::{ACKNOWLEDGE_PATH, Relay, SEND_PATH};
use plasma_load_tests::traffic::{Manner, Sent, Surroundings};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

/// Loses one message of so many.
const ONE_OF: usize = 10;

/// The bare relay, which takes some sends for acknowledgements: their answers are the same.
#[derive(Clone, Default)]
struct LossyRelay {
    inner: Relay,
    sends: Arc<AtomicUsize>,
}

impl NamedService for LossyRelay {
    const NAME: &'static str = Relay::NAME;
}

impl Service<http::Request<Body>> for LossyRelay {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = <Relay as Service<http::Request<Body>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let is_send = request.uri().path() == SEND_PATH;
        if is_send && self.sends.fetch_add(1, Ordering::Relaxed) % ONE_OF == ONE_OF - 1 {
            *request.uri_mut() = Uri::from_static(ACKNOWLEDGE_PATH);
        }
        self.inner.call(request)
    }
}

#[tokio::test]
async fn messages_that_are_answered_ok_and_forgotten_are_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder().add_service(LossyRelay::default());
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));

    let ledger = Arc::new(Ledger::new(3, 3));
    let (meters, nodes) = (Arc::new(Meters::default()), vec![address]);
    let around = Surroundings::new(Arc::clone(&ledger), meters, Manner::default(), nodes);
    let around = Arc::new(around);
    let devices = bare_devices(&around, 2);
    for device in &devices {
        device.connect();
        assert!(device.until_ready(Duration::from_secs(20)).await);
    }
    for _ in 0..4 * ONE_OF {
        assert_eq!(devices[0].send(0, Instant::now()).await, Sent::Accepted);
    }
    // What was not lost arrives at once.
    let begun = Instant::now();
    while ledger.tally().received < 36 && begun.elapsed() < Duration::from_secs(20) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let verdict = ledger.verdict(Policy::default());
    assert_eq!((verdict.count(Wrong::Lost), verdict.wrong.len()), (4, 1), "{verdict}");
}
