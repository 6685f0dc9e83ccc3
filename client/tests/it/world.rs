//! A service, a free platform, and people with devices.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use plasma_client::{
    ChatId, ContactLink, Device, Endpoint, Event, Events, PendingLinking, StopCause, Store, Uuid,
    accept,
};
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::device_service_client::DeviceServiceClient;
use plasma_testkit::{Cluster, ClusterKind, Onboarding, Platform};

pub const SOON: Duration = Duration::from_secs(15);
/// A little more than the age of the device sets that the service goes by.
pub const DEVICE_SET_AGE: Duration = Duration::from_millis(1_500);

pub struct World {
    pub cluster: Cluster,
    pub platform: Platform,
}

impl World {
    pub async fn start(kind: ClusterKind) -> Result<Self> {
        Self::on(Cluster::start(kind).await?, Onboarding::free("Test Platform")).await
    }

    /// The platform on a service of the test's choice.
    pub async fn of(cluster: Cluster) -> Result<Self> {
        Self::on(cluster, Onboarding::free("Test Platform")).await
    }

    /// A service with a platform of the test's choice.
    pub async fn of_platform(kind: ClusterKind, onboarding: Onboarding) -> Result<Self> {
        Self::on(Cluster::start(kind).await?, onboarding).await
    }

    /// A service whose accounts can begin anew soon after that was asked for.
    pub async fn with_reset_after(kind: ClusterKind, delay: Duration) -> Result<Self> {
        let cluster = Cluster::builder(kind).env("PLASMA_ACCOUNT_RESET_DELAY_MIN", "0s");
        let onboarding = Onboarding::free("Test Platform").account_reset_after(delay);
        Self::on(cluster.start().await?, onboarding).await
    }

    async fn on(cluster: Cluster, onboarding: Onboarding) -> Result<Self> {
        let channel = cluster.node(0).channel()?;
        let platform = Platform::onboard(channel, cluster.operator_key(), &onboarding).await?;
        Ok(Self { cluster, platform })
    }

    pub fn endpoint(&self, node: usize) -> Endpoint {
        Endpoint::new(self.cluster.node(node).endpoint())
    }

    pub fn tenant(&self) -> Result<Uuid> {
        tenant_of(&self.platform)
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

    /// Begins to link a further device of a user.
    pub async fn pending(&self, name: &str, endpoint: &Endpoint) -> Result<PendingLinking> {
        pending_in(&self.platform, name, endpoint, Store::in_memory()?).await
    }

    /// A further device of a user, which may approve.
    pub async fn linked(&self, name: &str, from: &Device, endpoint: &Endpoint) -> Result<Device> {
        linked_in(&self.platform, name, from, endpoint, Store::in_memory()?).await
    }
}

fn tenant_of(platform: &Platform) -> Result<Uuid> {
    let id = plasma_proto::id::parse("tenant", platform.tenant_id());
    Ok(Uuid::from_u128(id.context("a tenant id")?))
}

/// Begins to link a further device of a user, in a store of the test's choice.
pub async fn pending_in(
    platform: &Platform,
    name: &str,
    endpoint: &Endpoint,
    store: Store,
) -> Result<PendingLinking> {
    let token = platform.user_token(name)?;
    let tenant = tenant_of(platform)?;
    Ok(Device::start_linking(endpoint, store, tenant, &token, "Laptop").await?)
}

/// A further device of a user, in a store of the test's choice.
pub async fn linked_in(
    platform: &Platform,
    name: &str,
    from: &Device,
    endpoint: &Endpoint,
    store: Store,
) -> Result<Device> {
    let pending = pending_in(platform, name, endpoint, store).await?;
    let (code, from) = (pending.qr_text(), from.clone());
    let (device, approved) = tokio::join!(
        Box::pin(pending.complete()),
        Box::pin(async move { from.scan_linking(&code).await?.approve(true).await })
    );
    approved?;
    Ok(device?)
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

/// Listens, and waits until everything that was stored for the device has come.
pub async fn listening(device: &Device) -> Events {
    let mut events = device.receive();
    until(&mut events, |event| matches!(event, Event::QueueEmpty)).await;
    events
}

/// Waits until a device stops, and returns why and how long that took.
pub async fn stopped(events: &mut Events) -> (StopCause, Duration) {
    let begun = Instant::now();
    loop {
        let event = tokio::time::timeout(SOON, events.next()).await.expect("it stops in time");
        if let Event::Stopped(cause) = event.expect("an event") {
            return (cause, begun.elapsed());
        }
    }
}

/// A user's account as the service states it to a viewer.
pub async fn shown(viewer: &Device, owner: &Device) -> Result<pb::AccountState> {
    let user = Some(plasma_client::wire::user(owner.user()));
    let request = pb::GetAccountRequest { user, after_epoch: 0 };
    let answer = viewer.call(request, |channel, request| async move {
        DeviceServiceClient::new(channel).get_account(request).await
    });
    answer.await?.account.context("an account")
}
