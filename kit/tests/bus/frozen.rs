//! A Redis that is there and takes nothing.

use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use plasma_kit::Env;
use plasma_kit::bus::{Bus, RedisBus};
use plasma_kit::secrets::Secrets;
use plasma_testkit::PrivateRedis;

/// More than connections hold for somebody who does not read.
const FRAMES: usize = 48;
const FRAME_BYTES: usize = 1 << 20;
/// Far longer than a publish may wait, and than a busy machine needs for the frames.
const TOO_LONG: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_publish_that_cannot_even_be_written_is_given_up_all_the_same() {
    let mut redis = PrivateRedis::start().unwrap();
    let secrets = Secrets::new(vec![[1; 32]]).unwrap();
    let node = RedisBus::connect(&redis.url(), Env::system(), &secrets).await.unwrap();
    redis.freeze().unwrap();
    let frame = Bytes::from(vec![7; FRAME_BYTES]);
    let publishes = (0..FRAMES).map(|_| node.publish("test:frozen", frame.clone()));
    let answers = tokio::time::timeout(TOO_LONG, join_all(publishes)).await;
    let answers = answers.expect("publishes wait for ever");
    assert!(answers.iter().all(Result::is_err));
    redis.thaw().unwrap();
}
