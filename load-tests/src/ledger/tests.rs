use std::time::{Duration, Instant};

use super::{
    Answer, Arrival, DeviceNumber, Ledger, Mark, Offer, Order, Policy, Seen, Verdict, Witness,
    Wrong,
};

/// Two devices that read their envelopes themselves.
struct Scene {
    ledger: Ledger,
    ann: DeviceNumber,
    bob: DeviceNumber,
}

impl Scene {
    fn new() -> Self {
        Self::with(Witness::Wire)
    }

    fn with(witness: Witness) -> Self {
        let ledger = Ledger::new(7, 99);
        let (ann, bob) = (ledger.enlist(1, witness), ledger.enlist(2, witness));
        Self { ledger, ann, bob }
    }

    fn begin(&self) -> Mark {
        self.ledger.begin(self.ann, &[self.bob], Instant::now())
    }

    fn accept(&self, mark: Mark, answer: Answer) {
        self.ledger.accepted(mark, &[(self.bob, answer)]);
    }

    fn accepted(&self, answer: Answer) -> Mark {
        let mark = self.begin();
        self.accept(mark, answer);
        mark
    }

    fn offer(&self, mark: Mark, stream: u32, envelope: u128) -> Seen {
        let offer = Some(Offer { stream, envelope });
        let arrival = Arrival { device: self.bob, mark, is_intact: true, offer };
        self.ledger.received(&arrival)
    }

    fn show(&self, mark: Mark) -> Seen {
        let arrival = Arrival { device: self.bob, mark, is_intact: true, offer: None };
        self.ledger.received(&arrival)
    }

    fn verdict(&self) -> Verdict {
        self.ledger.verdict(Policy::default())
    }

    /// Says that exactly this is wrong, and once.
    fn is_wrong(&self, wrong: Wrong) {
        let verdict = self.verdict();
        assert_eq!(verdict.wrong.iter().collect::<Vec<_>>(), [(&wrong, &1)], "{verdict}");
        let text = verdict.to_string();
        assert!(text.contains("seed 7") && text.contains("device_"), "{text}");
    }
}

#[test]
fn what_goes_as_promised_is_clean() {
    let scene = Scene::new();
    let stream = scene.ledger.opened();
    let stored = scene.accepted(Answer::Stored);
    let live = scene.begin();
    assert_eq!(scene.ledger.tally().awaited, 1);
    assert!(matches!(scene.offer(stored, stream, 1), Seen::First { .. }));
    assert!(matches!(scene.offer(live, stream, 2), Seen::First { .. }));
    scene.ledger.acknowledged(scene.bob, &[1, 2]);
    scene.accept(live, Answer::Delivered);
    let verdict = scene.verdict();
    assert!(verdict.is_clean(), "{verdict}");
    let tally = verdict.tally;
    assert_eq!((tally.sent, tally.accepted, tally.received, tally.awaited), (2, 2, 2, 0));
    assert_eq!((tally.delivered, tally.stored, tally.acknowledged), (1, 1, 2));
}

#[test]
fn the_latency_counts_from_the_moment_a_message_was_due() {
    let scene = Scene::new();
    std::thread::sleep(Duration::from_millis(30));
    let due = Instant::now().checked_sub(Duration::from_millis(20)).unwrap();
    let mark = scene.ledger.begin(scene.ann, &[scene.bob], due);
    let Seen::First { after } = scene.show(mark) else { panic!("it is the first") };
    assert!(after >= Duration::from_millis(20), "{after:?}");
}

#[test]
fn a_message_that_was_accepted_and_does_not_arrive_is_lost() {
    for answer in [Answer::Delivered, Answer::Stored, Answer::Relayed] {
        let scene = Scene::with(Witness::Client);
        scene.accepted(answer);
        scene.is_wrong(Wrong::Lost);
        assert_eq!(scene.ledger.awaited()[&scene.bob], 1);
    }
}

#[test]
fn nobody_waits_for_what_was_refused_given_up_or_for_a_removed_device() {
    let scene = Scene::new();
    scene.ledger.refused(scene.begin());
    scene.ledger.unanswered(scene.begin());
    scene.accepted(Answer::Revoked);
    let verdict = scene.verdict();
    assert!(verdict.is_clean(), "{verdict}");
    assert_eq!((verdict.tally.refused, verdict.tally.unanswered), (1, 1));
}

#[test]
fn a_message_that_a_client_shows_again_is_shown_twice() {
    let scene = Scene::with(Witness::Client);
    let mark = scene.accepted(Answer::Delivered);
    assert!(matches!(scene.show(mark), Seen::First { .. }));
    assert_eq!(scene.show(mark), Seen::Again);
    scene.is_wrong(Wrong::ShownTwice);
}

#[test]
fn a_message_that_is_offered_again_is_counted_and_allowed() {
    let scene = Scene::new();
    let (first, second) = (scene.ledger.opened(), scene.ledger.opened());
    let mark = scene.accepted(Answer::Stored);
    scene.offer(mark, first, 1);
    assert_eq!(scene.offer(mark, second, 1), Seen::Again);
    scene.ledger.acknowledged(scene.bob, &[1]);
    let verdict = scene.verdict();
    assert!(verdict.is_clean(), "{verdict}");
    assert_eq!(verdict.tally.repeated, 1);
}

#[test]
fn a_message_that_overtakes_an_accepted_one_is_out_of_order() {
    let scene = Scene::with(Witness::Client);
    let earlier = scene.accepted(Answer::Delivered);
    let later = scene.accepted(Answer::Delivered);
    scene.show(later);
    scene.show(earlier);
    scene.is_wrong(Wrong::OutOfOrder);
}

#[test]
fn messages_that_were_sent_at_the_same_time_have_no_order() {
    let scene = Scene::with(Witness::Client);
    let (one, other) = (scene.begin(), scene.begin());
    scene.accept(one, Answer::Delivered);
    scene.accept(other, Answer::Delivered);
    scene.show(other);
    scene.show(one);
    assert!(scene.verdict().is_clean());
}

#[test]
fn while_things_fail_a_stored_message_may_come_later_and_a_live_one_may_not() {
    for (answer, is_clean) in [(Answer::Stored, true), (Answer::Delivered, false)] {
        let scene = Scene::with(Witness::Client);
        let earlier = scene.accepted(answer);
        let later = scene.accepted(Answer::Delivered);
        scene.show(later);
        scene.show(earlier);
        let verdict = scene.ledger.verdict(Policy { order: Order::Live });
        assert_eq!(verdict.is_clean(), is_clean, "{answer:?}: {verdict}");
        scene.is_wrong(Wrong::OutOfOrder);
    }
}

#[test]
fn an_envelope_that_comes_again_on_a_stream_opened_after_its_acknowledgement_is_wrong() {
    let scene = Scene::new();
    let first = scene.ledger.opened();
    let mark = scene.accepted(Answer::Stored);
    scene.offer(mark, first, 1);
    scene.ledger.acknowledged(scene.bob, &[1]);
    let second = scene.ledger.opened();
    scene.offer(mark, second, 1);
    scene.is_wrong(Wrong::AfterAcknowledgement);
}

#[test]
fn an_envelope_that_comes_again_on_its_own_stream_after_its_acknowledgement_is_wrong() {
    let scene = Scene::new();
    let stream = scene.ledger.opened();
    let mark = scene.accepted(Answer::Stored);
    scene.offer(mark, stream, 1);
    scene.ledger.acknowledged(scene.bob, &[1]);
    scene.offer(mark, stream, 1);
    scene.is_wrong(Wrong::AfterAcknowledgement);
}

#[test]
fn a_copy_that_was_under_way_before_the_acknowledgement_is_allowed() {
    let scene = Scene::new();
    let (first, second) = (scene.ledger.opened(), scene.ledger.opened());
    let mark = scene.accepted(Answer::Stored);
    scene.offer(mark, first, 1);
    scene.ledger.acknowledged(scene.bob, &[1]);
    scene.offer(mark, second, 1);
    // Another envelope of the message: its sender has sent it again.
    scene.offer(mark, second, 2);
    assert!(scene.verdict().is_clean());
}

#[test]
fn delivered_is_answered_only_for_what_the_device_was_given() {
    let scene = Scene::new();
    let stream = scene.ledger.opened();
    let mark = scene.accepted(Answer::Delivered);
    scene.offer(mark, stream, 1);
    scene.is_wrong(Wrong::AnsweredTooEarly);
}

#[test]
fn what_arrives_elsewhere_changed_or_unsent_is_wrong() {
    let arrival =
        |scene: &Scene, mark| Arrival { device: scene.bob, mark, is_intact: true, offer: None };
    let scene = Scene::new();
    let mark = scene.begin();
    scene.ledger.received(&Arrival { device: scene.ann, ..arrival(&scene, mark) });
    scene.is_wrong(Wrong::Misdelivered);

    let scene = Scene::new();
    let mark = scene.begin();
    scene.ledger.received(&Arrival { is_intact: false, ..arrival(&scene, mark) });
    scene.is_wrong(Wrong::Changed);

    let scene = Scene::new();
    scene.ledger.received(&arrival(&scene, Mark { run: 99, number: 3 }));
    scene.is_wrong(Wrong::Invented);

    let scene = Scene::new();
    scene.ledger.received(&arrival(&scene, Mark { run: 98, number: 3 }));
    assert!(scene.verdict().is_clean());
    assert_eq!(scene.ledger.tally().foreign, 1);
}
