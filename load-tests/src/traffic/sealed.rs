//! A device that is the Rust client: real keys, sessions, ratchets, receipts and a store.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use plasma_client::{
    ChatId, DeliveryState, Device, Error, Event, SendReport, StopCause, Undecryptable,
};
use tokio::task::JoinHandle;

use super::presence::Presence;
use super::{Leaving, Sent, Surroundings};
use crate::ledger::{Answer, Arrival, DeviceNumber, Mark, Seen, Witness};
use crate::meters::Happening;

/// A device that is the Rust client.
#[derive(Debug)]
pub struct SealedDevice {
    number: DeviceNumber,
    device: Device,
    chats: RwLock<Vec<(ChatId, DeviceNumber)>>,
    around: Arc<Surroundings>,
    /// Of the length that makes a sealed envelope about as long as an opaque one.
    padding: String,
    listening: Mutex<Option<JoinHandle<()>>>,
    presence: Presence,
}

impl SealedDevice {
    /// Takes a registered device.
    pub fn new(around: &Arc<Surroundings>, device: Device) -> Arc<Self> {
        let id = device.address().device.as_u128();
        let number = around.ledger.enlist(id, Witness::Client);
        Arc::new(Self {
            number,
            device,
            chats: RwLock::default(),
            around: Arc::clone(around),
            padding: "p".repeat(around.manner.ciphertext_length / 2),
            listening: Mutex::default(),
            presence: Presence::default(),
        })
    }

    /// Its number in the book.
    pub fn number(&self) -> DeviceNumber {
        self.number
    }

    /// The client.
    pub fn client(&self) -> &Device {
        &self.device
    }

    /// Adds a chat with the user of another device.
    pub fn add_chat(&self, chat: ChatId, peer: DeviceNumber) {
        self.chats.write().unwrap_or_else(PoisonError::into_inner).push((chat, peer));
    }

    /// How many chats it has.
    pub fn contacts(&self) -> usize {
        self.chats.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Begins to listen.
    pub fn connect(self: &Arc<Self>) {
        let mut listening = self.listening();
        if listening.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let events = self.device.receive();
        *listening = Some(tokio::spawn(Arc::clone(self).listen(events)));
    }

    /// Whether it listens.
    pub fn is_listening(&self) -> bool {
        self.listening().as_ref().is_some_and(|task| !task.is_finished())
    }

    /// Waits until what was stored for the device has come.
    pub async fn until_ready(&self, at_most: Duration) -> bool {
        self.presence.until_ready(at_most).await
    }

    /// Leaves: the client has no other way than to stop listening.
    pub async fn disconnect(&self, leaving: Leaving) {
        let Some(task) = self.listening().take() else { return };
        if leaving == Leaving::InOrder {
            // For the acknowledgements that wait for others.
            tokio::time::sleep(2 * self.around.manner.acknowledge_wait).await;
        }
        task.abort();
        // It was aborted.
        let _ = task.await;
        self.presence.left();
    }

    /// Writes one message.
    pub async fn send(&self, chat: usize, due: Instant) -> Sent {
        let found = {
            let chats = self.chats.read().unwrap_or_else(PoisonError::into_inner);
            chats.get(chat % chats.len().max(1)).copied()
        };
        let Some((chat, peer)) = found else { return Sent::Refused };
        let around = &self.around;
        let mark = around.ledger.begin(self.number, &[peer], due);
        match self.device.send_text(chat, &text(mark, &self.padding)).await {
            Ok(report) => {
                around.ledger.accepted(mark, &answers(&report, peer));
                around.meters.answered(due.elapsed());
                Sent::Accepted
            }
            Err(error) => {
                around.meters.failed(&kind(&error));
                if error.is_transient() {
                    // It stays in the client's outbox, and is sent when the client comes back.
                    around.ledger.unanswered(mark);
                    return Sent::Unanswered;
                }
                around.ledger.refused(mark);
                Sent::Refused
            }
        }
    }

    async fn listen(self: Arc<Self>, mut events: plasma_client::Events) {
        let around = &self.around;
        while let Some(event) = events.next().await {
            match event {
                Event::Connected => around.meters.count(Happening::Opened),
                Event::QueueEmpty => self.presence.ready(),
                Event::Message(message) => {
                    let Some(mark) = read(&message.text) else {
                        around.meters.failed("a text without a mark");
                        continue;
                    };
                    let sender = message.sender.device.as_u128();
                    let arrival = Arrival {
                        device: self.number,
                        mark,
                        is_intact: message.text == text(mark, &self.padding)
                            && around.ledger.is_from(mark, sender),
                        offer: None,
                    };
                    if let Seen::First { after } = around.ledger.received(&arrival) {
                        self.presence.measure(&around.meters, after);
                    }
                }
                Event::Disconnected(error) => {
                    self.presence.interrupted();
                    around.meters.count(Happening::Reconnected);
                    around.meters.failed(&kind(&error));
                }
                Event::Stopped(StopCause::ConflictingStream) => {
                    around.meters.count(Happening::Conflicted);
                }
                Event::Stopped(_) => around.meters.failed("client: stopped"),
                Event::Undecryptable(envelope) => around.meters.failed(&not_opened(&envelope)),
                _ => {}
            }
        }
    }

    fn listening(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answers(report: &SendReport, peer: DeviceNumber) -> Vec<(DeviceNumber, Answer)> {
    // Users have one device each, and so a report has one delivery.
    let answers = report.deliveries.iter().map(|delivery| match delivery.state {
        DeliveryState::Delivered => Answer::Delivered,
        DeliveryState::Revoked => Answer::Revoked,
        DeliveryState::Stored | DeliveryState::Dropped | DeliveryState::Unspecified => {
            Answer::Stored
        }
    });
    answers.map(|answer| (peer, answer)).collect()
}

/// A few words that failures are counted under.
fn kind(error: &Error) -> String {
    match error.reason() {
        Some(reason) => format!("client: {reason:?}"),
        None if error.is_transient() => "client: out of reach".to_owned(),
        None => format!("client: {error}"),
    }
}

/// Why an envelope was not opened, and how long it was on its way. One that comes many turns late is
/// asked for again by the client: its key is no longer kept.
fn not_opened(envelope: &Undecryptable) -> String {
    let written = envelope.claimed_message.and_then(|message| message.0.get_timestamp());
    #[expect(clippy::disallowed_methods, reason = "ids of messages carry the clients' own time")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let late = written.map(|written| now.saturating_sub(written.to_unix().0));
    let late = late.map_or_else(|| "of unknown age".to_owned(), |late| format!("{late} s late"));
    format!("client: an envelope was not opened: {:?}, {late}", envelope.reason)
}

fn text(mark: Mark, padding: &str) -> String {
    format!("load {:016x} {} {padding}", mark.run, mark.number)
}

fn read(text: &str) -> Option<Mark> {
    let mut words = text.split(' ');
    if words.next()? != "load" {
        return None;
    }
    let run = u64::from_str_radix(words.next()?, 16).ok()?;
    Some(Mark { run, number: words.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::{read, text};
    use crate::ledger::Mark;

    #[test]
    fn a_text_carries_its_mark() {
        let mark = Mark { run: 0xabc, number: 12 };
        assert_eq!(read(&text(mark, "ppp")), Some(mark));
        assert_eq!(read("hello there"), None);
        assert_eq!(read(""), None);
    }
}
