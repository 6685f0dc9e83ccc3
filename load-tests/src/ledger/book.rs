//! The entries of the book. Order is told by a counter that every entry raises, not by a clock.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::verdict::{Finding, Wrong};
use super::{Answer, Arrival, DeviceNumber, Seen, Tally, Witness};

/// A moment in the order of the entries; 0 for never.
type Tick = u64;

#[derive(Debug)]
pub(super) struct DeviceEntry {
    pub(super) id: u128,
    witness: Witness,
}

#[derive(Debug)]
pub(super) struct MessageEntry {
    pub(super) sender: DeviceNumber,
    first_copy: usize,
    copies: usize,
    begun: Tick,
    answered: Tick,
    /// When it was due, in microseconds of the book.
    due: u64,
    begun_at: u64,
    pub(super) answered_at: u64,
}

/// A message on its way to one device.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) message: u32,
    pub(super) device: DeviceNumber,
    pub(super) answer: Option<Answer>,
    pub(super) has_arrived: bool,
}

#[derive(Debug)]
struct Offered {
    stream: u32,
    acknowledged: Tick,
}

/// A message that arrived before an earlier one.
#[derive(Debug)]
pub(super) struct Overtaking {
    pub(super) earlier: usize,
    pub(super) later: usize,
}

#[derive(Debug, Default)]
pub(super) struct Book {
    ticks: Tick,
    pub(super) devices: Vec<DeviceEntry>,
    pub(super) messages: Vec<MessageEntry>,
    pub(super) copies: Vec<Copy>,
    streams: Vec<Tick>,
    /// By sender and receiver: copies that were answered OK and have not arrived, in the order of
    /// their answers.
    waiting: HashMap<(DeviceNumber, DeviceNumber), VecDeque<usize>>,
    offered: HashMap<(DeviceNumber, u128), Offered>,
    pub(super) overtakings: Vec<Overtaking>,
    pub(super) findings: Vec<Finding>,
    tally: Tally,
}

impl Book {
    pub(super) fn enlist(&mut self, id: u128, witness: Witness) -> DeviceNumber {
        self.devices.push(DeviceEntry { id, witness });
        number(self.devices.len() - 1)
    }

    pub(super) fn begin(
        &mut self,
        sender: DeviceNumber,
        to: &[DeviceNumber],
        due: u64,
        now: u64,
    ) -> u32 {
        let message = number(self.messages.len());
        let begun = self.tick();
        self.messages.push(MessageEntry {
            sender,
            first_copy: self.copies.len(),
            copies: to.len(),
            begun,
            answered: 0,
            due,
            begun_at: now,
            answered_at: 0,
        });
        let copy = |device: &DeviceNumber| Copy {
            message,
            device: *device,
            answer: None,
            has_arrived: false,
        };
        self.copies.extend(to.iter().map(copy));
        self.tally.sent += 1;
        message
    }

    pub(super) fn accepted(&mut self, message: u32, answers: &[(DeviceNumber, Answer)], now: u64) {
        let tick = self.tick();
        let entry = &mut self.messages[message as usize];
        (entry.answered, entry.answered_at) = (tick, now);
        let sender = entry.sender;
        self.tally.accepted += 1;
        for (device, answer) in answers {
            let Some(place) = self.find(message, *device) else {
                // The service answers for a device that nobody has addressed.
                self.findings.push(Finding::new(Wrong::Misdelivered, message, *device));
                continue;
            };
            self.copies[place].answer = Some(*answer);
            match answer {
                Answer::Delivered | Answer::Relayed => self.tally.delivered += 1,
                Answer::Stored => self.tally.stored += 1,
                Answer::Revoked => continue,
            }
            if self.copies[place].has_arrived {
                continue;
            }
            let is_read_here = self.devices[*device as usize].witness == Witness::Wire;
            if *answer == Answer::Delivered && is_read_here {
                self.findings.push(Finding::new(Wrong::AnsweredTooEarly, message, *device));
            }
            self.tally.awaited += 1;
            self.waiting.entry((sender, *device)).or_default().push_back(place);
        }
    }

    pub(super) fn refused(&mut self, _: u32) {
        self.tally.refused += 1;
    }

    pub(super) fn unanswered(&mut self, _: u32) {
        self.tally.unanswered += 1;
    }

    pub(super) fn opened(&mut self) -> u32 {
        let tick = self.tick();
        self.streams.push(tick);
        number(self.streams.len() - 1)
    }

    pub(super) fn received(&mut self, run: u64, arrival: &Arrival, now: u64) -> Seen {
        let Arrival { device, mark, is_intact, offer } = *arrival;
        if mark.run != run {
            self.tally.foreign += 1;
            return Seen::Other;
        }
        let message = mark.number;
        if message as usize >= self.messages.len() {
            self.findings.push(Finding::new(Wrong::Invented, message, device));
            return Seen::Other;
        }
        let Some(place) = self.find(message, device) else {
            self.findings.push(Finding::new(Wrong::Misdelivered, message, device));
            return Seen::Other;
        };
        if !is_intact {
            self.findings.push(Finding::new(Wrong::Changed, message, device));
            return Seen::Other;
        }
        if let Some(offer) = offer {
            let streams = &self.streams;
            let there = self.offered.entry((device, offer.envelope));
            let there = there.or_insert(Offered { stream: offer.stream, acknowledged: 0 });
            let opened = streams.get(offer.stream as usize).copied().unwrap_or_default();
            // On a stream that was open before, a second copy may have been on its way already.
            let is_late = opened > there.acknowledged || offer.stream == there.stream;
            if there.acknowledged > 0 && is_late {
                self.findings.push(Finding::new(Wrong::AfterAcknowledgement, message, device));
            }
        }
        if self.copies[place].has_arrived {
            match offer {
                Some(_) => self.tally.repeated += 1,
                None => self.findings.push(Finding::new(Wrong::ShownTwice, message, device)),
            }
            return Seen::Again;
        }
        self.arrive(place);
        let due = self.messages[message as usize].due;
        Seen::First { after: Duration::from_micros(now.saturating_sub(due)) }
    }

    fn arrive(&mut self, place: usize) {
        self.copies[place].has_arrived = true;
        self.tally.received += 1;
        let Copy { message, device, .. } = self.copies[place];
        let MessageEntry { sender, begun, answered, .. } = self.messages[message as usize];
        let Some(waiting) = self.waiting.get_mut(&(sender, device)) else { return };
        if answered > 0
            && let Some(at) = waiting.iter().position(|waiting| *waiting == place)
        {
            waiting.remove(at);
            self.tally.awaited -= 1;
        }
        // The first in the queue was answered before the others.
        if let Some(earlier) = waiting.front().copied() {
            let of_earlier = self.copies[earlier].message;
            if self.messages[of_earlier as usize].answered < begun {
                self.overtakings.push(Overtaking { earlier, later: place });
            }
        } else {
            self.waiting.remove(&(sender, device));
        }
    }

    pub(super) fn acknowledged(&mut self, device: DeviceNumber, envelopes: &[u128]) {
        let tick = self.tick();
        self.tally.acknowledged += envelopes.len() as u64;
        for envelope in envelopes {
            if let Some(offered) = self.offered.get_mut(&(device, *envelope))
                && offered.acknowledged == 0
            {
                offered.acknowledged = tick;
            }
        }
    }

    /// The id of a message's sender.
    pub(super) fn sender(&self, message: u32) -> Option<u128> {
        let entry = self.messages.get(message as usize)?;
        self.devices.get(entry.sender as usize).map(|device| device.id)
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    pub(super) fn awaited(&self) -> HashMap<DeviceNumber, usize> {
        let mut awaited = HashMap::new();
        for ((_, device), waiting) in &self.waiting {
            *awaited.entry(*device).or_default() += waiting.len();
        }
        awaited
    }

    /// How long a message was under way to its answer, in microseconds.
    pub(super) fn answered_after(&self, message: u32) -> u64 {
        let entry = &self.messages[message as usize];
        entry.answered_at.saturating_sub(entry.begun_at)
    }

    pub(super) fn find(&self, message: u32, device: DeviceNumber) -> Option<usize> {
        let MessageEntry { first_copy, copies, .. } = self.messages[message as usize];
        (first_copy..first_copy + copies).find(|place| self.copies[*place].device == device)
    }

    fn tick(&mut self) -> Tick {
        self.ticks += 1;
        self.ticks
    }
}

/// A place in a table of the book. Four thousand million messages are more than fits a book.
fn number(place: usize) -> u32 {
    u32::try_from(place).expect("a book of at most 4,294,967,295 entries")
}
