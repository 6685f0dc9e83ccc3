//! A relay that answers a send and delivers it later: the generator must notice.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use plasma_load_tests::generator::{BareProtocol, Load, Pace, Running};
use plasma_load_tests::relay::{ACKNOWLEDGE_PATH, Relay, SEND_PATH};
use tokio::net::TcpListener;
use tokio::task::LocalSet;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

/// One message of so many is late.
const ONE_OF: usize = 10;
const LATE: Duration = Duration::from_millis(30);

/// The bare relay, which answers some sends at once and relays them later.
#[derive(Clone, Default)]
struct DisorderlyRelay {
    inner: Relay,
    sends: Arc<AtomicUsize>,
}

impl NamedService for DisorderlyRelay {
    const NAME: &'static str = Relay::NAME;
}

impl Service<http::Request<Body>> for DisorderlyRelay {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = <Relay as Service<http::Request<Body>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let is_send = request.uri().path() == SEND_PATH;
        if !is_send || self.sends.fetch_add(1, Ordering::Relaxed) % ONE_OF != ONE_OF - 1 {
            return self.inner.call(request);
        }
        // An acknowledgement of nothing has the answer of a send.
        let mut answered = http::Request::new(Body::new("\0".repeat(5)));
        *answered.method_mut() = http::Method::POST;
        *answered.uri_mut() = Uri::from_static(ACKNOWLEDGE_PATH);
        let late = self.inner.call(request);
        tokio::spawn(async move {
            tokio::time::sleep(LATE).await;
            late.await
        });
        self.inner.call(answered)
    }
}

#[tokio::test]
async fn a_message_that_arrives_after_one_that_was_sent_when_it_was_answered_fails_the_load() {
    let load = async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder().add_service(DisorderlyRelay::default());
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        let protocol = BareProtocol::of(0..2).unwrap();
        let mut load = Load::start(address, protocol, 4, Pace::Closed).await.unwrap();
        // Each late message holds one of four places.
        load.run(Duration::from_secs(1)).await.unwrap();
        let tally = load.tally();
        assert!(tally.misordered > 0 && tally.misordered <= tally.done, "{tally:?}");
        let failure = load.finish().await.unwrap_err().to_string();
        assert!(failure.contains("overtook an earlier one"), "{failure}");
    };
    LocalSet::new().run_until(load).await;
}
