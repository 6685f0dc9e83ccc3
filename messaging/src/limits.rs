//! How many messages devices may send: each device, and all devices of a tenant together.

use plasma_kit::Failure;
use plasma_kit::actor::DeviceActor;
use plasma_kit::ids::TenantId;
use plasma_kit::rate::{Limits, RateLimit};

use crate::delivery::DeviceKey;

/// How many messages may be sent in a second, on average. After a pause it may be four seconds'
/// worth at once. 0: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageRates {
    /// By one device.
    pub device: u32,
    /// By all devices of a tenant together.
    pub tenant: u32,
}

impl MessageRates {
    /// No limit at all.
    pub const UNLIMITED: Self = Self { device: 0, tenant: 0 };
}

/// Counts the messages that devices send. The hot path asks the mirrors of this node alone.
#[derive(Debug)]
pub(crate) struct MessageLimits {
    device: Option<RateLimit<DeviceKey>>,
    tenant: Option<RateLimit<TenantId>>,
}

impl MessageLimits {
    pub(crate) fn new(limits: &Limits, rates: MessageRates) -> Self {
        Self {
            device: limits.per_second("message.device", rates.device),
            tenant: limits.per_second("message.tenant", rates.tenant),
        }
    }

    /// Lets a device send one message, to however many devices, or says when it may.
    pub(crate) fn admit(&self, device: DeviceActor) -> Result<(), Failure> {
        if let Some(limit) = &self.device {
            limit.take((device.tenant, device.device))?;
        }
        match &self.tenant {
            Some(limit) => limit.take(device.tenant),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use plasma_kit::Env;
    use plasma_kit::ids::{DeviceId, UserId};
    use uuid::Uuid;

    use super::*;

    fn device(tenant: u128, device: u128) -> DeviceActor {
        DeviceActor {
            tenant: TenantId(Uuid::from_u128(tenant)),
            user: UserId(Uuid::from_u128(device)),
            device: DeviceId(Uuid::from_u128(device)),
        }
    }

    fn sent(limits: &MessageLimits, device: DeviceActor, tries: u32) -> u32 {
        (0..tries).map(|_| u32::from(limits.admit(device).is_ok())).sum()
    }

    #[test]
    fn a_device_is_limited_by_itself_and_all_of_a_tenant_together() {
        let env = Env::system();
        env.follow(plasma_kit::Timestamp(1_000_000_000));
        let limits = Limits::of_this_process(env);
        let limits = MessageLimits::new(&limits, MessageRates { device: 50, tenant: 1_000 });
        // Four seconds' worth, and what refills while the test runs.
        assert!((200..1_000).contains(&sent(&limits, device(1, 1), 2_000)));
        for number in 2..40 {
            sent(&limits, device(1, number), 200);
        }
        assert_eq!(sent(&limits, device(2, 100), 100), 100, "another tenant has its own");
        let refused = (101..10_101).find_map(|number| limits.admit(device(1, number)).err());
        assert_eq!(refused.unwrap().reason(), plasma_kit::status::ErrorReason::RateLimited);
    }

    #[test]
    fn zero_is_no_limit() {
        let limits = Limits::of_this_process(Env::system());
        let limits = MessageLimits::new(&limits, MessageRates::UNLIMITED);
        assert_eq!(sent(&limits, device(1, 1), 10_000), 10_000);
    }
}
