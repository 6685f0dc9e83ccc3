//! A service, a free platform, and people with devices.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use plasma_client::{ChatId, ContactLink, Device, Endpoint, Event, Events, Store, Uuid, accept};
use plasma_testkit::{Cluster, ClusterKind, Onboarding, Platform};

pub const SOON: Duration = Duration::from_secs(15);

pub struct World {
    pub cluster: Cluster,
    pub platform: Platform,
}

impl World {
    pub async fn start(kind: ClusterKind) -> Result<Self> {
        let cluster = Cluster::start(kind).await?;
        let onboarding = Onboarding::free("Test Platform");
        let channel = cluster.node(0).channel()?;
        let platform = Platform::onboard(channel, cluster.operator_key(), &onboarding).await?;
        Ok(Self { cluster, platform })
    }

    pub fn endpoint(&self, node: usize) -> Endpoint {
        Endpoint::new(self.cluster.node(node).endpoint())
    }

    pub fn tenant(&self) -> Result<Uuid> {
        let id = plasma_proto::id::parse("tenant", self.platform.tenant_id());
        Ok(Uuid::from_u128(id.context("a tenant id")?))
    }

    pub async fn first_device(&self, name: &str, endpoint: &Endpoint) -> Result<Device> {
        self.first_device_in(name, endpoint, Store::in_memory()?).await
    }

    pub async fn first_device_in(
        &self,
        name: &str,
        endpoint: &Endpoint,
        store: Store,
    ) -> Result<Device> {
        let token = self.platform.user_token(name)?;
        Ok(Device::register_first(endpoint, store, self.tenant()?, &token).await?)
    }
}

/// A further device of the same user.
pub async fn linked(first: &Device, endpoint: &Endpoint) -> Result<Device> {
    let invitation = first.invite_device()?;
    let (pending, request) = Device::prepare_second(endpoint, Store::in_memory()?, invitation)?;
    let approval = first.approve(&request, true).await?;
    Ok(pending.complete(&approval).await?)
}

/// Opens the chat with the owner of a link.
pub async fn open(device: &Device, link: &ContactLink) -> Result<ChatId> {
    let resolved = device.resolve(link).await?;
    let opened = device.open_chat(&resolved, accept(&resolved.quote)).await?;
    Ok(opened.chat.id)
}

pub fn texts(device: &Device, chat: ChatId) -> Vec<String> {
    device.history(chat).unwrap().into_iter().map(|message| message.text).collect()
}

/// Waits until a device shows exactly these texts.
pub async fn shows(device: &Device, chat: ChatId, expected: &[&str]) {
    let begun = Instant::now();
    while texts(device, chat) != expected {
        let shown = texts(device, chat);
        assert!(begun.elapsed() < SOON, "shows {shown:?} instead of {expected:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits for an event and returns what came before it.
pub async fn until(events: &mut Events, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
    let mut before = Vec::new();
    loop {
        let event = tokio::time::timeout(SOON, events.next()).await.expect("an event in time");
        let event = event.expect("the device listens");
        if wanted(&event) {
            return before;
        }
        before.push(event);
    }
}
