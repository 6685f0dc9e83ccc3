//! How many calls are taken: in a second from each caller, and at once from each and from all.
//! Whatever is more is refused before its handler runs, with the time after which to retry.
//!
//! Messages are counted apart, by the messaging context: a stream carries many of them. Whether a
//! caller is over its rate is asked of this node's mirrors, so that it costs no round trip.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use plasma_kit::ids::{DeviceId, TenantId, UserId};
use plasma_kit::rate::{Limits, RateLimit};
use plasma_kit::{Actor, Failure};

/// Calls under way on this node.
const UNDER_WAY_MAX: usize = 16_384;
/// Calls under way of one device or of one user being enrolled.
const OF_DEVICE_MAX: usize = 64;
/// Calls under way of all keys of one tenant.
const OF_TENANT_MAX: usize = 1_024;
/// Calls under way of those who need no credential, all together.
const OF_ANYONE_MAX: usize = 1_024;
/// Calls under way without a credential from one address, or from one network of IPv6: few enough
/// that one of them cannot keep everybody else from signing in.
const OF_ADDRESS_MAX: usize = 128;

/// What messaging counts itself.
const MESSAGES: [&str; 3] = [
    "/plasma.messaging.v1.MessageService/Send",
    "/plasma.messaging.v1.MessageService/SendControl",
    "/plasma.messaging.v1.MessageService/SendOwn",
];

/// How many calls that carry no message may be made in a second, on average. After a pause it may
/// be four seconds' worth at once. 0: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallRates {
    /// By one device, or by one user being enrolled.
    pub device: u32,
    /// By all API keys of a tenant together.
    pub tenant: u32,
}

/// Whose calls are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Caller {
    Anyone,
    Address(Option<IpAddr>),
    Operator,
    Tenant(TenantId),
    User(TenantId, UserId),
    Device(TenantId, DeviceId),
}

impl Caller {
    fn of(actor: &Actor) -> Self {
        match actor {
            Actor::Anyone => Self::Anyone,
            Actor::Operator => Self::Operator,
            Actor::Key(key) => Self::Tenant(key.tenant),
            Actor::Enrollment(user) => Self::User(user.tenant, user.user),
            Actor::Device(device) => Self::Device(device.tenant, device.device),
        }
    }

    fn under_way_max(self) -> usize {
        match self {
            Self::Anyone => OF_ANYONE_MAX,
            Self::Address(_) => OF_ADDRESS_MAX,
            Self::Operator => UNDER_WAY_MAX,
            Self::Tenant(_) => OF_TENANT_MAX,
            Self::User(..) | Self::Device(..) => OF_DEVICE_MAX,
        }
    }
}

/// Admits calls.
#[derive(Debug)]
pub struct Admission {
    device: Option<RateLimit<Caller>>,
    tenant: Option<RateLimit<Caller>>,
    under_way: Arc<UnderWay>,
}

#[derive(Debug, Default)]
struct UnderWay {
    all: AtomicUsize,
    of: DashMap<Caller, usize>,
}

/// Who shares an address, or can have as many as it likes.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(long) => match long.to_ipv4_mapped() {
            Some(short) => IpAddr::V4(short),
            None => IpAddr::V6((u128::from(long) & (u128::MAX << 64)).into()),
        },
    }
}

/// A call under way. It is over when this is dropped.
#[derive(Debug)]
pub struct Admitted {
    _address: Option<Place>,
    _caller: Place,
    _node: NodePlace,
}

/// A place among the calls of one caller.
#[derive(Debug)]
struct Place {
    caller: Caller,
    under_way: Arc<UnderWay>,
}

/// A place among all calls of this node: one a call, however many it is counted with.
#[derive(Debug)]
struct NodePlace(Arc<UnderWay>);

impl Admission {
    /// Admits calls at these rates.
    pub fn new(limits: &Limits, rates: CallRates) -> Self {
        Self {
            device: limits.per_second("call.device", rates.device),
            tenant: limits.per_second("call.tenant", rates.tenant),
            under_way: Arc::default(),
        }
    }

    /// Admits a call of a method from an address, or says when to try again.
    pub fn admit(
        &self,
        actor: &Actor,
        path: &str,
        from: Option<IpAddr>,
    ) -> Result<Admitted, Failure> {
        let caller = Caller::of(actor);
        let limit = match caller {
            Caller::Anyone | Caller::Address(_) | Caller::Operator => None,
            Caller::Tenant(_) => self.tenant.as_ref(),
            Caller::User(..) | Caller::Device(..) => self.device.as_ref(),
        };
        if let Some(limit) = limit
            && !MESSAGES.contains(&path)
        {
            limit.take(caller)?;
        }
        let of_address = match caller {
            Caller::Anyone => Some(self.under_way.begin(Caller::Address(from.map(network)))?),
            _ => None,
        };
        Ok(Admitted {
            _address: of_address,
            _caller: self.under_way.begin(caller)?,
            _node: self.under_way.begin_any()?,
        })
    }
}

impl UnderWay {
    fn begin(self: &Arc<Self>, caller: Caller) -> Result<Place, Failure> {
        let mut own = self.of.entry(caller).or_insert(0);
        if *own >= caller.under_way_max() {
            return Err(Failure::overloaded());
        }
        *own += 1;
        Ok(Place { caller, under_way: Arc::clone(self) })
    }

    fn begin_any(self: &Arc<Self>) -> Result<NodePlace, Failure> {
        // Counted first, so that what is dropped on a refusal takes it back.
        let before = self.all.fetch_add(1, Ordering::Relaxed);
        let place = NodePlace(Arc::clone(self));
        if before >= UNDER_WAY_MAX { Err(Failure::overloaded()) } else { Ok(place) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Entry::Occupied(mut own) = self.under_way.of.entry(self.caller) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

impl Drop for NodePlace {
    fn drop(&mut self) {
        self.0.all.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use plasma_kit::Env;
    use plasma_kit::actor::{DeviceActor, KeyActor};
    use plasma_kit::ids::ApiKeyId;
    use plasma_kit::status::ErrorReason;
    use uuid::Uuid;

    use super::*;

    const TENANT: TenantId = TenantId(Uuid::from_u128(1));
    const PATH: &str = "/plasma.messaging.v1.MessageService/Pull";

    fn device(number: u128) -> Actor {
        let (user, device) = (UserId(Uuid::from_u128(number)), DeviceId(Uuid::from_u128(number)));
        Actor::Device(DeviceActor { tenant: TENANT, user, device })
    }

    fn key() -> Actor {
        let key = ApiKeyId(Uuid::from_u128(1));
        Actor::Key(KeyActor { tenant: TENANT, key, admin: true, backend: true })
    }

    fn admission(device: u32, tenant: u32) -> Admission {
        let limits = Limits::of_this_process(Env::system());
        Admission::new(&limits, CallRates { device, tenant })
    }

    #[test]
    fn callers_are_limited_apart_and_messages_and_the_operator_not_here() {
        let admission = admission(1, 2);
        let admitted = |actor: &Actor, path| -> usize {
            (0..50).filter(|_| admission.admit(actor, path, None).is_ok()).count()
        };
        assert_eq!(admitted(&device(1), PATH), 4);
        assert_eq!(admitted(&device(2), PATH), 4);
        assert_eq!(admitted(&key(), PATH), 8);
        assert_eq!(admitted(&device(1), MESSAGES[0]), 50);
        assert_eq!(admitted(&Actor::Operator, PATH), 50);
        assert_eq!(admitted(&Actor::Anyone, PATH), 50);
    }

    #[test]
    fn one_network_without_credentials_leaves_room_for_the_others() {
        let admission = admission(0, 0);
        let admit = |from: &str| admission.admit(&Actor::Anyone, PATH, Some(from.parse().unwrap()));
        let held: Vec<_> = (0..OF_ADDRESS_MAX)
            .map(|host| admit(&format!("2001:db8::{host:x}")).unwrap())
            .collect();
        assert!(admit("2001:db8::ffff").is_err());
        assert!(admit("2001:db8:0:1::1").is_ok() && admit("192.0.2.1").is_ok());
        drop(held);
        assert!(admit("2001:db8::ffff").is_ok());
        assert!(admission.under_way.of.is_empty());
    }

    #[test]
    fn calls_under_way_are_counted_until_they_are_over() {
        let admission = admission(0, 0);
        let mut held: Vec<_> =
            (0..OF_DEVICE_MAX).map(|_| admission.admit(&device(1), PATH, None).unwrap()).collect();
        let refused = admission.admit(&device(1), PATH, None).unwrap_err();
        assert_eq!(refused.reason(), ErrorReason::RateLimited);
        assert!(admission.admit(&device(2), PATH, None).is_ok());
        held.pop();
        assert!(admission.admit(&device(1), PATH, None).is_ok());
        drop(held);
        assert_eq!(admission.under_way.all.load(Ordering::Relaxed), 0);
        assert!(admission.under_way.of.is_empty(), "callers that left are forgotten");
    }

    #[test]
    fn a_call_has_one_place_on_its_node_whoever_makes_it() {
        let admission = admission(0, 0);
        let from = Some("192.0.2.1".parse().unwrap());
        for actor in [Actor::Anyone, Actor::Operator, key(), device(1)] {
            let held = admission.admit(&actor, PATH, from).unwrap();
            assert_eq!(admission.under_way.all.load(Ordering::Relaxed), 1, "{actor:?}");
            drop(held);
            assert_eq!(admission.under_way.all.load(Ordering::Relaxed), 0, "{actor:?}");
        }
    }

    #[test]
    fn every_method_of_the_contract_that_sends_is_counted_by_messaging() {
        let service = "/plasma.messaging.v1.MessageService/";
        let mut sending: Vec<_> = plasma_proto::METHODS
            .iter()
            .map(|method| method.path)
            .filter(|path| path.strip_prefix(service).is_some_and(|name| name.starts_with("Send")))
            .collect();
        let mut messages = MESSAGES;
        sending.sort_unstable();
        messages.sort_unstable();
        assert_eq!(messages.as_slice(), sending);
    }

    #[test]
    fn a_node_takes_so_many_calls_at_once_and_no_more() {
        let admission = admission(0, 0);
        let held: Vec<_> = (0..UNDER_WAY_MAX)
            .map(|place| {
                admission.admit(&device((place / OF_DEVICE_MAX) as u128), PATH, None).unwrap()
            })
            .collect();
        assert!(admission.admit(&device(u128::MAX), PATH, None).is_err());
        drop(held);
        assert!(admission.admit(&device(u128::MAX), PATH, None).is_ok());
        assert!(admission.under_way.of.is_empty());
    }
}
