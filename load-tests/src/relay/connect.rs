//! The bare relay's stream of both directions: sends, deliveries and acknowledgements.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use dashmap::DashMap;
use futures::Stream;
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use super::messages::{
    Call, ConnectEvent, ConnectRequest, ConnectResponse, ConnectSend, Envelope, Sent,
};
use super::service::QUEUE_LENGTH;

type Event = Result<ConnectResponse, Status>;

/// Open streams by device.
#[derive(Debug, Clone, Default)]
pub struct Connected {
    streams: Arc<DashMap<String, mpsc::Sender<Event>>>,
}

impl Connected {
    /// Serves one stream for as long as the device speaks.
    pub(super) fn connect(&self, calls: Streaming<ConnectRequest>) -> Events {
        let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
        let connected = self.clone();
        tokio::spawn(async move {
            if let Err(status) = connected.serve(calls, &sender).await {
                // The device may be gone.
                let _ = sender.send(Err(status)).await;
            }
        });
        Events(receiver)
    }

    async fn serve(
        &self,
        mut calls: Streaming<ConnectRequest>,
        own: &mpsc::Sender<Event>,
    ) -> Result<(), Status> {
        while let Some(request) = calls.message().await? {
            match request.call {
                Some(Call::Open(open)) => {
                    self.streams.insert(open.device_id, own.clone());
                    tell(own, ConnectEvent::Sent(Sent { call_id: 0 })).await?;
                }
                Some(Call::Send(send)) => self.send(send, own).await?,
                Some(Call::Acknowledge(_)) | None => {}
            }
        }
        Ok(())
    }

    async fn send(&self, send: ConnectSend, own: &mpsc::Sender<Event>) -> Result<(), Status> {
        let ConnectSend { call_id, send } = send;
        let send = send.ok_or_else(|| Status::invalid_argument("nothing is sent"))?;
        let stream = self.streams.get(&send.device_id).map(|entry| entry.value().clone());
        let stream = stream.ok_or_else(|| Status::not_found("no stream of this device"))?;
        let envelope = Envelope { envelope_id: send.envelope_id, ciphertext: send.ciphertext };
        tell(&stream, ConnectEvent::Envelope(envelope)).await?;
        tell(own, ConnectEvent::Sent(Sent { call_id })).await
    }
}

async fn tell(stream: &mpsc::Sender<Event>, event: ConnectEvent) -> Result<(), Status> {
    let sent = stream.send(Ok(ConnectResponse { event: Some(event) })).await;
    sent.map_err(|_| Status::unavailable("the stream has ended"))
}

/// What one device is told.
#[derive(Debug)]
pub struct Events(mpsc::Receiver<Event>);

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_recv(context)
    }
}
