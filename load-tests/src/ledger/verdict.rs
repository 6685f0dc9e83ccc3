//! What is wrong with a load.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::book::{Book, Copy};
use super::{Answer, DeviceNumber, Tally};

/// Examples that are told of each kind.
const EXAMPLES: usize = 5;

/// A kind of broken promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrong {
    /// Answered OK and not received.
    Lost,
    /// Shown to a person more than once.
    ShownTwice,
    /// Received before a message that was accepted earlier.
    OutOfOrder,
    /// Received again although its acknowledgement had been answered OK.
    AfterAcknowledgement,
    /// Answered as acknowledged by a device that had not been given it.
    AnsweredTooEarly,
    /// Received by a device that it was not for.
    Misdelivered,
    /// Received with another content, sender or id.
    Changed,
    /// Received without having been sent.
    Invented,
}

impl Wrong {
    fn words(self) -> &'static str {
        match self {
            Self::Lost => "lost: answered OK and never received",
            Self::ShownTwice => "shown twice",
            Self::OutOfOrder => "out of order: overtook one that was accepted before",
            Self::AfterAcknowledgement => {
                "delivered again after the acknowledgement was answered OK"
            }
            Self::AnsweredTooEarly => "answered as acknowledged before the device was given it",
            Self::Misdelivered => "received by a device that it was not for",
            Self::Changed => "received with another content, sender or id",
            Self::Invented => "received without having been sent",
        }
    }
}

/// Which order is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// That of acceptance, stored or not: what one can expect while nothing fails.
    #[default]
    Accepted,
    /// That of acceptance among messages that were answered as delivered: what is promised while
    /// nodes and bus fail, for what is stored without anybody being told comes later.
    Live,
}

/// How a load is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// Which order is asked for.
    pub order: Order,
}

/// What is wrong with one message at one device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finding {
    wrong: Wrong,
    message: u32,
    device: DeviceNumber,
}

impl Finding {
    pub(super) fn new(wrong: Wrong, message: u32, device: DeviceNumber) -> Self {
        Self { wrong, message, device }
    }
}

/// The judgement on a load.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// The seed that chose who sends when to whom.
    pub seed: u64,
    /// The load.
    pub run: u64,
    /// What happened.
    pub tally: Tally,
    /// How often each promise was broken.
    pub wrong: BTreeMap<Wrong, u64>,
    /// Some of it in words.
    pub examples: Vec<String>,
}

impl Verdict {
    /// Whether every promise was kept.
    pub fn is_clean(&self) -> bool {
        self.wrong.is_empty()
    }

    /// How often a promise was broken.
    pub fn count(&self, wrong: Wrong) -> u64 {
        self.wrong.get(&wrong).copied().unwrap_or_default()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { accepted, received, repeated, .. } = self.tally;
        if self.is_clean() {
            return write!(
                f,
                "every one of {accepted} accepted messages was received once and in order \
                 ({received} envelopes, {repeated} of them offered again; seed {})",
                self.seed
            );
        }
        writeln!(f, "promises were broken (seed {}, run {:016x}):", self.seed, self.run)?;
        for (wrong, count) in &self.wrong {
            writeln!(f, "  {count} × {}", wrong.words())?;
        }
        for example in &self.examples {
            writeln!(f, "    {example}")?;
        }
        Ok(())
    }
}

pub(super) fn judge(book: &Book, seed: u64, run: u64, policy: Policy) -> Verdict {
    let lost = book
        .copies
        .iter()
        .filter(|copy| !copy.has_arrived && !matches!(copy.answer, None | Some(Answer::Revoked)));
    let lost = lost.map(|copy| Finding::new(Wrong::Lost, copy.message, copy.device));
    let overtaken = book.overtakings.iter().filter(|overtaking| {
        let was_live = |place: usize| book.copies[place].answer == Some(Answer::Delivered);
        // What never arrived is lost, and overtaken by nobody.
        book.copies[overtaking.earlier].has_arrived
            && (policy.order == Order::Accepted
                || (was_live(overtaking.earlier) && was_live(overtaking.later)))
    });
    let overtaken = overtaken.map(|overtaking| {
        let Copy { message, device, .. } = book.copies[overtaking.later];
        Finding::new(Wrong::OutOfOrder, message, device)
    });
    let mut verdict =
        Verdict { seed, run, tally: book.tally(), wrong: BTreeMap::new(), examples: Vec::new() };
    for finding in lost.chain(overtaken).chain(book.findings.iter().copied()) {
        let count = verdict.wrong.entry(finding.wrong).or_default();
        *count += 1;
        if *count <= EXAMPLES as u64 {
            verdict.examples.push(describe(book, finding));
        }
    }
    verdict
}

fn describe(book: &Book, finding: Finding) -> String {
    let Finding { wrong, message, device } = finding;
    let name = |device: DeviceNumber| {
        let id = book.devices.get(device as usize).map_or(0, |entry| entry.id);
        plasma_proto::id::format("device", id)
    };
    let Some(entry) = book.messages.get(message as usize) else {
        return format!("message {message} at {}: {}", name(device), wrong.words());
    };
    let copy = book.find(message, device);
    let answer = match copy.and_then(|place| book.copies[place].answer) {
        None => "not answered".to_owned(),
        Some(answer) => {
            let millis = book.answered_after(message) / 1_000;
            format!(
                "answered {answer:?} after {millis} ms, {} s into the load",
                entry.answered_at / 1_000_000
            )
        }
    };
    format!(
        "message {message} from {} to {}: {} ({answer})",
        name(entry.sender),
        name(device),
        wrong.words()
    )
}
