//! The devices connected to this node.

use std::sync::Arc;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use plasma_kit::ids::{TenantId, UserId};
use tokio::sync::Notify;

use super::connection::Connection;
use super::parcel::DeviceKey;

/// Streams by device, and pulls that wait.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    connections: DashMap<DeviceKey, Arc<Connection>>,
    pulls: DashMap<DeviceKey, (usize, Arc<Notify>)>,
}

impl Hub {
    /// The stream of a device.
    pub(crate) fn get(&self, device: DeviceKey) -> Option<Arc<Connection>> {
        self.connections.get(&device).map(|entry| Arc::clone(&entry))
    }

    /// Whether a device has a stream or waiting pull here.
    pub(crate) fn knows(&self, device: DeviceKey) -> bool {
        self.connections.contains_key(&device) || self.pulls.contains_key(&device)
    }

    /// Whether nobody is connected.
    pub(crate) fn is_empty(&self) -> bool {
        self.connections.is_empty() && self.pulls.is_empty()
    }

    /// Puts a stream in place; gives back the one that is older: the one replaced, or this one
    /// itself when a newer is there already.
    pub(crate) fn put(&self, connection: &Arc<Connection>) -> Option<Arc<Connection>> {
        let key = (connection.device.tenant, connection.device.device);
        match self.connections.entry(key) {
            Entry::Occupied(mut place) if place.get().number <= connection.number => {
                Some(place.insert(Arc::clone(connection)))
            }
            Entry::Occupied(_) => Some(Arc::clone(connection)),
            Entry::Vacant(place) => {
                place.insert(Arc::clone(connection));
                None
            }
        }
    }

    /// Takes a stream away, unless a newer one is in its place.
    pub(crate) fn remove(&self, connection: &Arc<Connection>) {
        let key = (connection.device.tenant, connection.device.device);
        self.connections.remove_if(&key, |_, there| Arc::ptr_eq(there, connection));
    }

    /// Every stream that `wanted` picks.
    pub(crate) fn select(&self, wanted: impl Fn(&Connection) -> bool) -> Vec<Arc<Connection>> {
        self.connections
            .iter()
            .filter(|entry| wanted(entry.value()))
            .map(|entry| Arc::clone(entry.value()))
            .collect()
    }

    /// Every stream of a tenant, or of one of its users.
    pub(crate) fn of(&self, tenant: TenantId, user: Option<UserId>) -> Vec<Arc<Connection>> {
        self.select(|connection| {
            connection.device.tenant == tenant
                && user.is_none_or(|user| connection.device.user == user)
        })
    }

    /// Begins to wait in a pull.
    pub(crate) fn start_pull(&self, device: DeviceKey) -> Arc<Notify> {
        let mut entry = self.pulls.entry(device).or_default();
        entry.0 += 1;
        Arc::clone(&entry.1)
    }

    /// Ends a wait in a pull.
    pub(crate) fn end_pull(&self, device: DeviceKey) {
        if let Some(mut entry) = self.pulls.get_mut(&device) {
            entry.0 -= 1;
        }
        self.pulls.remove_if(&device, |_, (waiting, _)| *waiting == 0);
    }

    /// Tells a device's stream and pulls that something was stored for it.
    pub(crate) fn hint(&self, device: DeviceKey) {
        if let Some(connection) = self.get(device) {
            connection.hint();
        }
        if let Some(entry) = self.pulls.get(&device) {
            entry.1.notify_waiters();
        }
    }

    /// Tells everyone to look at the store.
    pub(crate) fn hint_all(&self) {
        for connection in self.select(|_| true) {
            connection.hint();
        }
        for entry in &self.pulls {
            entry.1.notify_waiters();
        }
    }
}
