//! One installation of a user.

mod access;
mod accounts;
mod bundles;
mod chats;
mod compose;
mod contents;
mod enrollment;
mod linking;
mod links;
mod maintenance;
mod manifests;
mod own_devices;
mod own_keys;
mod prekeys;
mod receipts;
mod recovery;
mod register;
mod report;
mod reset;
pub(crate) mod sealing;
mod send;
mod settings;
mod standing;
#[cfg(test)]
mod tests;
mod trust;

use std::sync::Arc;

use plasma_e2ee::DeviceKeys;
use plasma_identity::{DeviceAddress, UserAddress};
use plasma_proto::messaging::v1 as pb;
use tokio::sync::Mutex;
use tonic::transport::Channel;

pub use access::{Offer, Purchased, accept, accept_without_trial};
pub(crate) use accounts::{Learned, learn};
pub use chats::OpenChat;
#[cfg(test)]
pub(crate) use contents::write_ref;
pub use linking::{Approval, LinkingCheck, LinkingDetails, LinkingFailure, PendingLinking};
pub use links::Resolved;
pub use own_devices::OwnDevice;
pub use reset::PendingReset;
pub use trust::Trust;

use crate::connection::{Connection, Endpoint};
use crate::env::Env;
use crate::error::Error;
use crate::repair::Errands;
use crate::store::{Store, own_device};

/// A registered device. Clones are the same device.
#[derive(Debug, Clone)]
pub struct Device {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) env: Env,
    pub(crate) connection: Connection,
    pub(crate) store: Store,
    pub(crate) keys: DeviceKeys,
    /// Held while bundles are fetched for sessions that are missing, so that two sends at once do
    /// not take two bundles of one device.
    pub(crate) sealing: Mutex<()>,
    /// Held while the outbox is sent again, which happens once at a time.
    pub(crate) flushing: Mutex<()>,
    /// Held while prekeys are made and published.
    pub(crate) publishing: Mutex<()>,
    /// Held while control messages are sent.
    pub(crate) repairing: Mutex<()>,
    /// What is done in the background.
    pub(crate) errands: Errands,
}

impl Device {
    /// Opens a device that is registered already.
    pub fn open(endpoint: &Endpoint, store: Store) -> Result<Self, Error> {
        let own = store.read(own_device::load)?.ok_or(Error::NotRegistered)?;
        if !own.registered {
            return Err(Error::NotRegistered);
        }
        let connection = Connection::new(endpoint)?;
        let device = Self::assemble(endpoint.environment(), connection, store, own.keys);
        device.expire_messages()?;
        Ok(device)
    }

    pub(crate) fn assemble(
        env: Env,
        connection: Connection,
        store: Store,
        keys: DeviceKeys,
    ) -> Self {
        let inner = Inner {
            env,
            connection,
            store,
            keys,
            sealing: Mutex::default(),
            flushing: Mutex::default(),
            publishing: Mutex::default(),
            repairing: Mutex::default(),
            errands: Errands::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Returns the device's address.
    pub fn address(&self) -> DeviceAddress {
        self.inner.keys.address()
    }

    /// Returns the device's user.
    pub fn user(&self) -> UserAddress {
        self.address().user_address()
    }

    /// Calls the service as this device: for what the other methods do not cover, such as wallets.
    pub async fn call<M, R, O, F>(&self, message: M, operation: O) -> Result<R, Error>
    where
        M: Clone,
        O: Fn(Channel, tonic::Request<M>) -> F,
        F: Future<Output = Result<tonic::Response<R>, tonic::Status>>,
    {
        self.inner.connection.call(&self.inner.keys, message, operation).await
    }

    /// Calls the service as this device, once: for what is not worth repeating.
    pub(crate) async fn call_once<M, R, O, F>(&self, message: M, operation: O) -> Result<R, Error>
    where
        M: Clone,
        O: Fn(Channel, tonic::Request<M>) -> F,
        F: Future<Output = Result<tonic::Response<R>, tonic::Status>>,
    {
        self.inner.connection.call_once(&self.inner.keys, message, operation).await
    }

    /// Ends this device's token and streams at the service. The device can open a session again.
    pub async fn sign_out(&self) -> Result<(), Error> {
        use pb::session_service_client::SessionServiceClient;
        let operation = |channel: Channel, request| async move {
            SessionServiceClient::new(channel).sign_out(request).await
        };
        self.call(pb::SignOutRequest {}, operation).await?;
        self.inner.connection.forget_token().await;
        Ok(())
    }
}
