//! The users of a load: enrolled as any user is, with chats among them, kept from run to run.
//!
//! Owns who exists and who has a chat with whom. Users come in platforms of at most 100 (as many as
//! the service enrolls of one at once); within a platform each user has a chat with the next one,
//! and the last with the first. Each user has one device.

mod cache;

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use plasma_client::{Endpoint, Store, Uuid, accept};
use plasma_proto::billing::v1::AcceptedPrice;
use plasma_proto::id;
use plasma_testkit::{Onboarding, Platform, secret};
use tonic::transport::Channel;

use crate::enrollment::{USERS_PER_PLATFORM, enroll_devices};
use crate::ledger::DeviceNumber;
use crate::traffic::{Contact, Device, Identity, OpaqueDevice, SealedDevice, Surroundings};

const PLATFORMS_AT_A_TIME: usize = 2;
const CHATS_AT_A_TIME: usize = 8;

/// A chat between two users.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Chat {
    /// The chat, `chat_…`.
    pub id: String,
    /// The places of the two in the population.
    pub users: [usize; 2],
}

/// Enrolled users with chats among them.
#[derive(Debug, Default)]
pub struct Population {
    identities: Vec<Arc<Identity>>,
    chats: Vec<Chat>,
}

impl Population {
    /// Enrolls users, at least two. Tells how many there are whenever there are more.
    pub async fn enroll(
        channel: &Channel,
        operator_key: &str,
        count: usize,
        progress: impl Fn(usize),
    ) -> Result<Self> {
        ensure!(count >= 2, "a load needs at least two users");
        let platforms =
            sizes(count).into_iter().map(|users| platform(channel, operator_key, users));
        let mut platforms = stream::iter(platforms).buffer_unordered(PLATFORMS_AT_A_TIME);
        let mut population = Self::default();
        while let Some(more) = platforms.try_next().await? {
            population.add(more);
            progress(population.len());
        }
        Ok(population)
    }

    /// How many users there are.
    pub fn len(&self) -> usize {
        self.identities.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.identities.is_empty()
    }

    /// The users.
    pub fn identities(&self) -> &[Arc<Identity>] {
        &self.identities
    }

    /// The first users, with the chats that both are in.
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        let among = |chat: &&Chat| chat.users.iter().all(|user| *user < count);
        Self {
            identities: self.identities.iter().take(count).cloned().collect(),
            chats: self.chats.iter().filter(among).cloned().collect(),
        }
    }

    /// Makes the users' devices.
    pub fn devices(&self, around: &Arc<Surroundings>) -> Vec<Device> {
        let devices: Vec<Arc<OpaqueDevice>> = self
            .identities
            .iter()
            .map(|identity| OpaqueDevice::enrolled(around, Arc::clone(identity)))
            .collect();
        for chat in &self.chats {
            let [one, other] = chat.users;
            for (own, peer) in [(one, other), (other, one)] {
                let identity = &self.identities[peer];
                devices[own].add_contact(Contact {
                    chat_id: chat.id.clone(),
                    peer: devices[peer].number(),
                    peer_id: identity.address().device.as_u128(),
                    manifest_hash: identity.manifest_hash.clone(),
                });
            }
        }
        devices.into_iter().map(Device::Opaque).collect()
    }

    fn add(&mut self, more: Self) {
        let first = self.len();
        self.identities.extend(more.identities);
        let moved = more.chats.into_iter().map(|chat| {
            let users = chat.users.map(|user| first + user);
            Chat { id: chat.id, users }
        });
        self.chats.extend(moved);
    }
}

/// As many devices of the bare relay, each with a chat with the next.
pub fn bare_devices(around: &Arc<Surroundings>, count: usize) -> Vec<Device> {
    let id = |place: usize| place as u128 + 1;
    let devices: Vec<_> = (0..count).map(|place| OpaqueDevice::bare(around, id(place))).collect();
    let chat = |own: usize, peer: usize| {
        devices[own].add_contact(Contact {
            chat_id: String::new(),
            peer: devices[peer].number(),
            peer_id: id(peer),
            manifest_hash: Bytes::new(),
        });
    };
    for [one, other] in ring(count) {
        chat(one, other);
        chat(other, one);
    }
    devices.into_iter().map(Device::Opaque).collect()
}

/// Registers users whose devices are the Rust client, each with a chat with the next. They keep
/// nothing: their stores are in memory.
pub async fn sealed_devices(
    channel: &Channel,
    operator_key: &str,
    endpoints: &[String],
    around: &Arc<Surroundings>,
    count: usize,
) -> Result<Vec<Device>> {
    let mut devices = Vec::with_capacity(count);
    for users in sizes(count) {
        let onboarding = Onboarding::free("Load");
        let platform = Platform::onboard(channel.clone(), operator_key, &onboarding).await?;
        let tenant = id::parse("tenant", platform.tenant_id()).context("a tenant id")?;
        let registering = (0..users).map(|place| {
            let endpoint = Endpoint::new(endpoints[place % endpoints.len()].clone());
            let platform = &platform;
            async move {
                let token = platform.user_token(&secret::name())?;
                let (store, tenant) = (Store::in_memory()?, Uuid::from_u128(tenant));
                let device =
                    plasma_client::Device::register_first(&endpoint, store, tenant, &token).await?;
                anyhow::Ok(device)
            }
        });
        let clients: Vec<_> =
            stream::iter(registering).buffered(CHATS_AT_A_TIME).try_collect().await?;
        let platform: Vec<_> =
            clients.into_iter().map(|client| SealedDevice::new(around, client)).collect();
        for [one, other] in ring(users) {
            meet(&platform[one], &platform[other]).await?;
        }
        devices.extend(platform.into_iter().map(Device::Sealed));
    }
    Ok(devices)
}

async fn meet(one: &SealedDevice, other: &SealedDevice) -> Result<()> {
    let link = other.client().create_link().await?;
    let resolved = one.client().resolve(&link).await?;
    let opened = one.client().open_chat(&resolved, accept(&resolved.quote)).await?;
    let add = |own: &SealedDevice, peer: DeviceNumber| own.add_chat(opened.chat.id, peer);
    add(one, other.number());
    add(other, one.number());
    Ok(())
}

async fn platform(channel: &Channel, operator_key: &str, users: usize) -> Result<Population> {
    let onboarding = Onboarding::free("Load");
    let platform = Platform::onboard(channel.clone(), operator_key, &onboarding).await?;
    let enrolled = enroll_devices(channel, &platform, users).await?;
    let opening = ring(users).into_iter().map(|[one, other]| {
        let (owner, guest) = (&enrolled[one].0, &enrolled[other].0);
        async move {
            let link = owner.create_link(channel).await?;
            let id = guest.open_chat(channel, &link, AcceptedPrice::default()).await?;
            anyhow::Ok(Chat { id, users: [one, other] })
        }
    });
    let chats = stream::iter(opening).buffered(CHATS_AT_A_TIME).try_collect().await?;
    let identities = enrolled
        .into_iter()
        .map(|(enrolled, keys)| Arc::new(Identity { keys, manifest_hash: enrolled.manifest_hash }));
    Ok(Population { identities: identities.collect(), chats })
}

/// Platforms of about equal size, none with more users than can be enrolled at once.
fn sizes(count: usize) -> Vec<usize> {
    let platforms = count.div_ceil(USERS_PER_PLATFORM);
    (0..platforms)
        .map(|place| count * (place + 1) / platforms - count * place / platforms)
        .collect()
}

/// Each with the next, the last with the first.
fn ring(count: usize) -> Vec<[usize; 2]> {
    match count {
        0 | 1 => Vec::new(),
        2 => vec![[0, 1]],
        more => (0..more).map(|place| [place, (place + 1) % more]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{ring, sizes};

    #[test]
    fn platforms_are_of_about_equal_size_and_none_is_alone() {
        assert_eq!(sizes(2), [2]);
        assert_eq!(sizes(101), [50, 51]);
        assert_eq!(sizes(10_000), [100; 100]);
        for count in 2..500 {
            let sizes = sizes(count);
            assert_eq!(sizes.iter().sum::<usize>(), count);
            assert!(sizes.iter().all(|size| (2..=100).contains(size)), "{sizes:?}");
        }
    }

    #[test]
    fn everybody_has_somebody_to_write_to() {
        assert_eq!(ring(2), [[0, 1]]);
        assert_eq!(ring(3), [[0, 1], [1, 2], [2, 0]]);
    }
}
