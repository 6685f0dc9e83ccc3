//! The messages of a load over streams: which are on their way, and what each event means for them.

use std::collections::VecDeque;
use std::mem::take;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};

use super::super::latency::Latencies;
use super::super::load::STRIDE;
use super::super::order::{Order, Sending};
use super::super::pace::Pace;
use super::super::protocol::{Delivered, Event, Mark, Sent, StreamEvent, StreamProtocol};
use super::super::running::Tally;
use super::connection::Connection;

/// Sends of one stream that may be unanswered; the service refuses one more.
const UNANSWERED_MAX: usize = 64;

/// A message on its way.
#[derive(Debug, Default)]
struct Place {
    sequence: u32,
    sender: usize,
    /// When it was due; `None` once it has arrived.
    due: Option<Instant>,
    /// `None` until a message is in this place.
    sending: Option<Sending>,
}

/// What is known of a device.
#[derive(Debug, Default)]
struct Device {
    /// The messages that it has sent.
    order: Order,
    /// How many of them are not answered.
    unanswered: usize,
    /// What it has received and not acknowledged.
    unacknowledged: Vec<Bytes>,
}

/// All messages and all connections. Messages go in bursts: those of one burst are of one sender,
/// and are acknowledged together.
#[derive(Debug)]
pub(super) struct Traffic<P> {
    protocol: P,
    pace: Pace,
    burst: usize,
    devices: Vec<Device>,
    pub(super) connections: Vec<Connection>,
    /// Connections that have something to write.
    dirty: Vec<usize>,
    places: Vec<Place>,
    /// Messages of each burst that are not done.
    undone: Vec<usize>,
    /// Bursts that are not under way.
    idle: Vec<usize>,
    /// When bursts were due for which there was no room.
    late: VecDeque<Instant>,
    turn: usize,
    is_stopped: bool,
    pub(super) ready: usize,
    pub(super) tally: Tally,
    pub(super) latencies: Latencies,
}

impl<P: StreamProtocol> Traffic<P> {
    pub(super) fn new(
        protocol: P,
        connections: Vec<Connection>,
        in_flight: u16,
        burst: u16,
        pace: Pace,
    ) -> Result<Self> {
        let bursts = usize::from(in_flight / burst);
        let places = bursts * usize::from(burst);
        Ok(Self {
            protocol,
            pace,
            burst: burst.into(),
            devices: connections.iter().map(|_| Device::default()).collect(),
            connections,
            dirty: Vec::new(),
            places: (0..places).map(|_| Place::default()).collect(),
            undone: vec![0; bursts],
            idle: (0..bursts).collect(),
            late: VecDeque::new(),
            turn: 0,
            is_stopped: false,
            ready: 0,
            tally: Tally::default(),
            latencies: Latencies::new()?,
        })
    }

    /// Begins every burst of a closed loop.
    pub(super) fn begin(&mut self) -> Result<()> {
        for burst in take(&mut self.idle) {
            self.begin_burst(burst, Instant::now())?;
        }
        Ok(())
    }

    /// Begins a burst that is due; it waits where there is no room.
    pub(super) fn begin_due(&mut self, due: Instant) -> Result<()> {
        match self.idle.pop() {
            _ if self.is_stopped => Ok(()),
            Some(burst) => self.begin_burst(burst, due),
            None => {
                self.late.push_back(due);
                Ok(())
            }
        }
    }

    /// Begins no more bursts.
    pub(super) fn stop(&mut self) {
        self.is_stopped = true;
        self.late.clear();
    }

    /// How many messages are not done.
    pub(super) fn undone(&self) -> usize {
        self.undone.iter().sum()
    }

    /// Connections that have something to write since this was last asked.
    pub(super) fn take_dirty(&mut self) -> Vec<usize> {
        take(&mut self.dirty)
    }

    /// Notes that a connection has something to write.
    pub(super) fn mark_dirty(&mut self, device: usize) {
        self.dirty.push(device);
    }

    fn begin_burst(&mut self, burst: usize, due: Instant) -> Result<()> {
        let sender = self.next_sender()?;
        self.devices[sender].unanswered += self.burst;
        self.undone[burst] = self.burst;
        for number in burst * self.burst..(burst + 1) * self.burst {
            let sending = Some(self.devices[sender].order.send());
            let sequence = self.places[number].sequence + 1;
            self.places[number] = Place { sequence, sender, due: Some(due), sending };
            let mark = Mark { place: u32::try_from(number)?, sequence };
            let message = self.protocol.stream_send(sender, mark);
            self.say(sender, message);
        }
        Ok(())
    }

    /// Devices take turns; one whose stream takes no more sends is left out.
    fn next_sender(&mut self) -> Result<usize> {
        for _ in 0..self.devices.len() {
            let sender = self.turn.wrapping_mul(STRIDE) % self.devices.len();
            self.turn = self.turn.wrapping_add(1);
            if self.devices[sender].unanswered + self.burst <= UNANSWERED_MAX {
                return Ok(sender);
            }
        }
        bail!("there are too few devices for so many messages in flight")
    }

    fn say(&mut self, device: usize, message: Bytes) {
        self.connections[device].send(message);
        self.dirty.push(device);
    }

    /// Takes what was read from a device's connection.
    pub(super) fn receive(&mut self, device: usize, input: &mut BytesMut) -> Result<()> {
        let mut messages = Vec::new();
        self.connections[device].receive(input, |message| {
            messages.push(message);
            Ok(())
        })?;
        self.dirty.push(device);
        for message in messages {
            match P::read_stream_event(&message)? {
                StreamEvent::Event(Event::Delivered(delivered)) => {
                    self.delivered(device, delivered, &message)?;
                }
                StreamEvent::Event(Event::Ready) => self.ready += 1,
                StreamEvent::Event(Event::Other) => {}
                StreamEvent::Answer(mark, sent) => self.answered(device, mark, sent)?,
            }
        }
        Ok(())
    }

    fn place(&mut self, mark: Mark) -> Option<(usize, &mut Place)> {
        let number = usize::try_from(mark.place).ok()?;
        let place = self.places.get_mut(number)?;
        (place.sequence == mark.sequence).then_some((number, place))
    }

    fn delivered(
        &mut self,
        device: usize,
        delivered: Delivered<'_>,
        message: &Bytes,
    ) -> Result<()> {
        let envelope_id = message.slice_ref(delivered.envelope_id);
        let waited_for = self
            .place(delivered.mark)
            .and_then(|(number, place)| Some((number, place.due.take()?)));
        let Some((number, due)) = waited_for else {
            self.tally.repeated += 1;
            let acknowledge = self.protocol.stream_acknowledge(&[envelope_id]);
            self.say(device, acknowledge);
            return Ok(());
        };
        self.latencies.note(due);
        let Place { sender, sending, .. } = self.places[number];
        ensure!(device == sender ^ 1, "a message arrived at another device");
        let sending = sending.context("a message that was never sent")?;
        self.tally.count(self.devices[sender].order.arrive(sending));
        let receiver = &mut self.devices[device];
        receiver.unacknowledged.push(envelope_id);
        if receiver.unacknowledged.len() >= self.burst {
            let envelope_ids = take(&mut receiver.unacknowledged);
            let acknowledge = self.protocol.stream_acknowledge(&envelope_ids);
            self.say(device, acknowledge);
        }
        self.settle(number)
    }

    fn answered(&mut self, device: usize, mark: Mark, sent: Sent) -> Result<()> {
        let (number, place) = self.place(mark).context("an answer to a send that is over")?;
        let sending = place.sending.as_mut().context("an answer to a send that never was")?;
        ensure!(!sending.is_answered(), "a second answer to a send");
        sending.answered();
        ensure!(place.sender == device, "an answer to another device's send");
        self.devices[device].unanswered -= 1;
        match sent {
            Sent::Delivered => self.tally.delivered += 1,
            Sent::Stored => self.tally.stored += 1,
        }
        self.settle(number)
    }

    /// A message that has arrived and is answered is done.
    fn settle(&mut self, number: usize) -> Result<()> {
        let place = &self.places[number];
        if place.due.is_some() || !place.sending.is_some_and(|sending| sending.is_answered()) {
            return Ok(());
        }
        self.tally.done += 1;
        let burst = number / self.burst;
        self.undone[burst] -= 1;
        if self.undone[burst] > 0 {
            return Ok(());
        }
        let due = match self.pace {
            _ if self.is_stopped => None,
            Pace::Closed => Some(Instant::now()),
            Pace::Open { .. } => self.late.pop_front(),
        };
        if let Some(due) = due {
            return self.begin_burst(burst, due);
        }
        self.idle.push(burst);
        Ok(())
    }
}
