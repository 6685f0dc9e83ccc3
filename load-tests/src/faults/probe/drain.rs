//! A node is told to end (SIGTERM) while it has many streams. Each must be told to resume before it
//! ends, and be back at once: on another node, or on the same when it is started again.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use plasma_proto::messaging::v1::ResumeReason;
use plasma_proto::messaging::v1::receive_response::Event;
use plasma_testkit::Line;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::transport::{Channel, Endpoint};

use super::device::{Device, LIVENESS};
use super::{Found, Scene};

/// Streams that share a connection.
const STREAMS_PER_CONNECTION: usize = 20;
const DRAIN_MAX: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_millis(50);

/// What a stream saw.
#[derive(Debug)]
enum Saw {
    /// It is open.
    Hello(Instant),
    /// It was told to resume, because its node ends.
    Resume,
    /// It ended without that.
    Cut(String),
}

pub(super) async fn ask(scene: &mut Scene) -> Result<Found> {
    let ports: Vec<u16> = scene.cluster.nodes().iter().map(plasma_testkit::Node::port).collect();
    let line = Line::start(ports).await?;
    let people = scene.people(scene.streams).await?;
    let (sender, mut sights) = mpsc::unbounded_channel();
    let mut streams = tokio::task::JoinSet::new();
    for group in people.chunks(STREAMS_PER_CONNECTION) {
        let channel = Endpoint::from_shared(line.url())?.tcp_nodelay(true).connect_lazy();
        for enrolled in group {
            let device = Device::new(enrolled.clone(), Channel::clone(&channel));
            streams.spawn(watch(device, sender.clone()));
        }
    }
    let mut open = 0;
    while open < people.len() {
        match next(&mut sights, LIVENESS).await.context("a stream opens")? {
            Saw::Hello(_) => open += 1,
            other => anyhow::bail!("a stream saw {other:?} before the drain"),
        }
    }
    let begun = Instant::now();
    scene.cluster.nodes_mut()[0].terminate(DRAIN_MAX).await?;
    let ended_after = begun.elapsed();
    if scene.cluster.nodes().len() == 1 {
        scene.cluster.nodes_mut()[0].restart().await?;
    }
    let mut told: Vec<Saw> = Vec::new();
    let mut back = Vec::new();
    let mut cut = Vec::new();
    let until = Instant::now() + LIVENESS;
    while back.len() < told.len() + cut.len() || back.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        match next(&mut sights, left).await {
            Some(Saw::Hello(at)) => back.push(at.duration_since(begun)),
            Some(Saw::Cut(why)) => cut.push(why),
            Some(resume) => told.push(resume),
            None => break,
        }
    }
    scene.cluster.nodes_mut()[0].restart().await?;
    ensure!(!told.is_empty() || !cut.is_empty(), "no stream was on the node that ended");
    back.sort_unstable();
    let words = format!(
        "{} of {} streams were told to resume, {} were cut ({}), {} are back, the last {:.0} ms \
         after the signal; the node ended after {:.0} ms",
        told.len(),
        people.len(),
        cut.len(),
        cut.first().map_or("none", String::as_str),
        back.len(),
        back.last().copied().unwrap_or_default().as_secs_f64() * 1e3,
        ended_after.as_secs_f64() * 1e3
    );
    Ok(Found::when(cut.is_empty() && back.len() >= told.len(), words))
}

async fn next(sights: &mut mpsc::UnboundedReceiver<Saw>, at_most: Duration) -> Option<Saw> {
    tokio::time::timeout(at_most, sights.recv()).await.ok().flatten()
}

/// Keeps a device's stream open and says what it sees, until nobody looks.
async fn watch(device: Device, sights: mpsc::UnboundedSender<Saw>) {
    loop {
        let Ok(mut stream) = device.open().await else {
            tokio::time::sleep(RETRY).await;
            continue;
        };
        let mut is_open = false;
        let end = loop {
            match stream.message().await {
                Ok(Some(response)) => match response.event {
                    Some(Event::Hello(_)) => {
                        is_open = true;
                        if sights.send(Saw::Hello(Instant::now())).is_err() {
                            return;
                        }
                    }
                    Some(Event::Resume(resume)) if resume.reason() == ResumeReason::Drain => {
                        break Saw::Resume;
                    }
                    Some(Event::Resume(resume)) => break Saw::Cut(format!("{resume:?}")),
                    _ => {}
                },
                Ok(None) => break Saw::Cut("the stream ended".to_owned()),
                Err(status) => break Saw::Cut(status.to_string()),
            }
        };
        if is_open && sights.send(end).is_err() {
            return;
        }
    }
}
