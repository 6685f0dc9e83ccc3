//! Nothing runs in circles, however broken both sides are.

use super::town::{ANN, BOB, Town};

/// The device can open nothing: no session, and no key that starts one.
fn cripple(town: &Town, of: usize, with: usize) {
    town.wipe_session(of, with);
    town.devices[of]
        .inner
        .store
        .write(|tx| Ok::<_, crate::StoreError>(tx.execute_batch("DELETE FROM prekey")?))
        .unwrap();
}

#[tokio::test]
async fn a_message_is_sent_again_three_times_and_no_more() {
    let mut town = Town::of(&[(ANN, 1), (BOB, 1)], 40);
    town.send(0, "one").await;
    cripple(&town, 1, 0);
    for _ in 0..24 {
        town.settle_down().await;
        town.move_clocks(3_601);
    }
    // Four requests, for the message and for each time that it was sent again.
    assert_eq!(town.controls, 7);
    assert!(town.shown(1).is_empty());
}

#[tokio::test]
async fn two_broken_devices_do_not_play_ping_pong() {
    let mut town = Town::of(&[(ANN, 1), (BOB, 1)], 40);
    town.send(0, "one").await;
    town.send(1, "two").await;
    for _ in 0..48 {
        loop {
            let mut moved = false;
            for index in 0..2 {
                cripple(&town, index, 1 - index);
                moved |= town.receive_one(index).await.is_some();
                moved |= town.deliver_controls(index).await > 0;
            }
            if !moved {
                break;
            }
        }
        town.move_clocks(3_601);
    }
    assert!(town.controls <= 14, "{} control messages", town.controls);
}

#[tokio::test]
async fn a_session_is_left_once_an_hour() {
    let mut town = Town::of(&[(ANN, 1), (BOB, 1)], 40);
    for (from, text) in [(0, "one"), (1, "two")] {
        town.send(from, text).await;
        town.settle_down().await;
    }
    for text in ["three", "four"] {
        town.wipe_session(1, 0);
        town.send(0, text).await;
        town.settle_down().await;
        town.send(1, "reply").await;
        town.settle_down().await;
    }
    // The second loss within the hour waits for its turn, and is not lost.
    assert_eq!(town.shown(1).iter().filter(|text| *text == "four").count(), 0);
    town.move_clocks(3_601);
    town.settle_down().await;
    assert_eq!(town.shown(1).iter().filter(|text| *text == "four").count(), 1);
}
