//! Where the contexts meet: each port, answered by the context that knows.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use plasma_billing::{Billing, ports as billing_ports};
use plasma_kit::Failure;
use plasma_kit::ids::{ChatId, TenantId, UserId};
use plasma_messaging::directory::Directory;
use plasma_messaging::ports as messaging_ports;
use plasma_proto::billing::v1 as pb;
use plasma_tenant::{AccessMode, Tenants};

/// What billing asks of the tenant context.
pub struct TenantsOfBilling(pub Tenants);

#[async_trait]
impl billing_ports::Tenants for TenantsOfBilling {
    async fn terms(&self, tenant: TenantId) -> Result<Option<billing_ports::Terms>, Failure> {
        let terms = self.0.terms(tenant).await?;
        Ok(terms.map(|terms| billing_ports::Terms {
            free: terms.access_mode == AccessMode::Free,
            suspended: terms.suspended,
            operator_share_basis_points: terms.operator_share_basis_points,
            sandbox: terms.sandbox,
            time_zone: terms.time_zone,
        }))
    }

    async fn user_exists(&self, tenant: TenantId, user: UserId) -> Result<bool, Failure> {
        let standing = self.0.user_standing(tenant, user).await?;
        Ok(standing != plasma_tenant::Standing::Absent)
    }

    async fn partner_user_id(
        &self,
        tenant: TenantId,
        user: UserId,
    ) -> Result<Option<String>, Failure> {
        self.0.partner_user_id(tenant, user).await
    }
}

/// What billing asks of messaging, which is built after it.
#[derive(Default, Clone)]
pub struct ChatsOfBilling(pub Arc<OnceLock<Directory>>);

#[async_trait]
impl billing_ports::Chats for ChatsOfBilling {
    async fn parties(
        &self,
        tenant: TenantId,
        user: UserId,
        chat: ChatId,
    ) -> Result<Option<billing_ports::Parties>, Failure> {
        let directory = self.0.get().ok_or_else(Failure::unavailable)?;
        let Some(parties) = directory.parties(tenant, user, chat).await? else {
            return Ok(None);
        };
        Ok(Some(billing_ports::Parties {
            recipient_tenant: parties.peer.0,
            recipient_user: parties.peer.1,
            closed: parties.closed,
            blocked: parties.blocked,
        }))
    }
}

/// What messaging asks of the tenant context.
pub struct TenantsOfMessaging(pub Tenants);

#[async_trait]
impl messaging_ports::Tenants for TenantsOfMessaging {
    async fn terms(&self, tenant: TenantId) -> Result<Option<messaging_ports::Terms>, Failure> {
        let terms = self.0.terms(tenant).await?;
        Ok(terms.map(|terms| messaging_ports::Terms {
            display_name: terms.display_name.clone(),
            link_base_url: terms.link_base_url.clone(),
            allow_other_platforms: terms.allow_other_platforms,
            account_reset_delay: terms.account_reset_delay,
            suspended: terms.suspended,
            sandbox: terms.sandbox,
        }))
    }

    async fn accept_platform_token(
        &self,
        tenant: TenantId,
        token: &str,
    ) -> Result<UserId, Failure> {
        self.0.accept_platform_token(tenant, token).await
    }

    async fn standing(
        &self,
        tenant: TenantId,
        user: UserId,
    ) -> Result<messaging_ports::Standing, Failure> {
        use messaging_ports::Standing;
        Ok(match self.0.user_standing(tenant, user).await? {
            plasma_tenant::Standing::Active => Standing::Active,
            plasma_tenant::Standing::Blocked => Standing::Blocked,
            plasma_tenant::Standing::TenantSuspended => Standing::TenantSuspended,
            plasma_tenant::Standing::Absent => Standing::Absent,
        })
    }
}

/// What messaging asks of billing.
pub struct AccessOfMessaging(pub Billing);

#[async_trait]
impl messaging_ports::Access for AccessOfMessaging {
    async fn quote(
        &self,
        payer: (TenantId, UserId),
        recipient: (TenantId, UserId),
    ) -> Result<pb::Quote, Failure> {
        self.0.quote(payer, recipient).await
    }

    fn check_accepted(&self, accepted: &pb::AcceptedPrice) -> Result<(), Failure> {
        plasma_billing::check_accepted(accepted)
    }

    async fn purchase(&self, purchase: messaging_ports::Purchase) -> Result<pb::Pass, Failure> {
        self.0
            .purchase(plasma_billing::Purchase {
                chat: purchase.chat,
                payer_tenant: purchase.payer.0,
                payer_user: purchase.payer.1,
                recipient_tenant: purchase.recipient.0,
                recipient_user: purchase.recipient.1,
                accepted: purchase.accepted,
                extend: false,
            })
            .await
    }

    async fn active_pass(&self, chat: ChatId) -> Result<Option<pb::Pass>, Failure> {
        self.0.active_pass(chat).await
    }

    async fn pass_term(&self, chat: ChatId) -> Result<Option<messaging_ports::PassTerm>, Failure> {
        let Some(pass) = self.0.pass_in_force(chat).await? else { return Ok(None) };
        let expires_at = match pass.expire {
            None => None,
            // Messaging compares with the real time, which a sandbox's clock is ahead of.
            Some(expire) => Some(self.0.in_real_time(pass.recipient.tenant, expire).await?),
        };
        let counts = pass.bundle.map(|_| (pass.payer.tenant, pass.payer.user));
        Ok(Some(messaging_ports::PassTerm { expires_at, counts }))
    }

    async fn spend(&self, message: messaging_ports::Counted) -> Result<(), Failure> {
        let messaging_ports::Counted { chat, sender, message, digest } = message;
        self.0.spend(chat, sender, message, digest).await
    }
}
