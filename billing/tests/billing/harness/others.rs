//! What the other contexts would answer.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use plasma_billing::ports::{Chats, Parties, Tenants, Terms};
use plasma_kit::Failure;
use plasma_kit::ids::{ChatId, TenantId, UserId};

/// What the other contexts would answer.
#[derive(Default)]
pub struct Others {
    pub(super) terms: Mutex<HashMap<TenantId, Terms>>,
    pub(super) users: Mutex<HashSet<(TenantId, UserId)>>,
    pub(super) chats: Mutex<HashMap<(TenantId, UserId, ChatId), Parties>>,
}

#[async_trait::async_trait]
impl Tenants for Others {
    async fn terms(&self, tenant: TenantId) -> Result<Option<Terms>, Failure> {
        Ok(self.terms.lock().unwrap().get(&tenant).cloned())
    }

    async fn partner_user_id(
        &self,
        tenant: TenantId,
        user: UserId,
    ) -> Result<Option<String>, Failure> {
        let known = self.users.lock().unwrap().contains(&(tenant, user));
        Ok(known.then(|| format!("partner-{user}")))
    }

    async fn user_exists(&self, tenant: TenantId, user: UserId) -> Result<bool, Failure> {
        Ok(self.users.lock().unwrap().contains(&(tenant, user)))
    }
}

#[async_trait::async_trait]
impl Chats for Others {
    async fn parties(
        &self,
        tenant: TenantId,
        user: UserId,
        chat: ChatId,
    ) -> Result<Option<Parties>, Failure> {
        Ok(self.chats.lock().unwrap().get(&(tenant, user, chat)).copied())
    }
}
