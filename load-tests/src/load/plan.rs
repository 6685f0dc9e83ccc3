//! What each profile is in numbers, by default and with options.

use std::time::Duration;

use super::options::{Options, Profile, TargetKind};

/// A profile in numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Devices that write random bytes.
    pub devices: usize,
    /// Devices that are the Rust client.
    pub sealed: usize,
    /// Messages per second; what `peak` does comes from its model where this is unset.
    pub rate: Option<f64>,
    /// For how long.
    pub window: Duration,
    /// Messages in flight at most.
    pub in_flight: usize,
    /// Messages of `offline`.
    pub messages: usize,
    /// Reconnections of everybody.
    pub storms: u32,
}

impl Plan {
    /// What a profile is with these options.
    pub fn of(profile: Profile, options: &Options) -> Self {
        let quick = options.quick;
        let pick = |quickly: u32, usually: u32| if quick { quickly } else { usually };
        let (devices, sealed, seconds) = match profile {
            Profile::Peak => (pick(60, 10_000), pick(4, 40), pick(4, 120)),
            Profile::Connected => (pick(60, 10_000), 0, pick(3, 60)),
            Profile::Relay => (pick(20, 200), 0, pick(1, 5)),
            Profile::Offline => (pick(20, 200), 0, 0),
            Profile::Storm => (pick(40, 2_000), 0, pick(2, 15)),
            Profile::Soak => (pick(20, 1_000), pick(2, 20), pick(3, 1_800)),
            Profile::Costs => (pick(60, 2_000), 0, pick(2, 30)),
        };
        let devices = options.devices.unwrap_or(devices);
        let rate = match profile {
            Profile::Peak | Profile::Relay | Profile::Offline | Profile::Costs => None,
            // Each device writes once a minute.
            Profile::Connected => Some(if quick { 20.0 } else { f64::from(devices) / 60.0 }),
            Profile::Storm | Profile::Soak => Some(if quick { 20.0 } else { 50.0 }),
        };
        let seconds = options.seconds.unwrap_or(seconds.into());
        let is_bare = options.target == TargetKind::Bare;
        Self {
            devices: devices as usize,
            sealed: options.sealed.unwrap_or(if is_bare { 0 } else { sealed }) as usize,
            rate: options.rate.or(rate),
            window: Duration::from_secs(seconds),
            in_flight: options.in_flight.unwrap_or(match profile {
                Profile::Relay => pick(16, 512),
                Profile::Costs => pick(8, 32),
                _ => pick(16, 64),
            }) as usize,
            messages: options.messages.unwrap_or(match profile {
                Profile::Costs => pick(96, 6_400),
                _ => pick(200, 20_000),
            }) as usize,
            storms: options.storms.unwrap_or(pick(1, 3)),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Parser, ValueEnum};

    use super::Plan;
    use crate::load::options::{Arguments, Profile};

    #[test]
    fn a_quick_run_is_small() {
        for profile in Profile::value_variants() {
            let arguments =
                Arguments::try_parse_from(["plasma-load", profile.name(), "--quick"]).unwrap();
            let plan = Plan::of(*profile, &arguments.options);
            assert!(plan.devices <= 60 && plan.window.as_secs() <= 4, "{plan:?}");
        }
    }
}
