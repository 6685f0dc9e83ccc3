//! Devices against real `plasma serve` processes, on the embedded and on the scaled way to run.

#[cfg(test)]
mod balancer;
#[cfg(test)]
mod bundles;
#[cfg(test)]
mod contents;
#[cfg(test)]
mod conversation;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod linking;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod prekeys;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod relayed;
#[cfg(test)]
mod repair;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod reset;
#[cfg(test)]
mod revocation;
#[cfg(test)]
mod subscriptions;
#[cfg(test)]
mod trust;
#[cfg(test)]
mod world;
