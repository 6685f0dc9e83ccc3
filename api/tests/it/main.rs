//! What a service must stand on the wire: bad input in every field of every method, other
//! tenants' ids, wrong credentials, broken transports, and revocation that bites in time. Against
//! real `plasma serve` processes, embedded and on PostgreSQL and Redis with two nodes.
//!
//! The matrices are generated from the contract's descriptor: a method or a field that is added to
//! it is tested or fails the test for want of a fixture.

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod connect;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod place;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod smoke;
#[cfg(test)]
mod spoil;
#[cfg(test)]
mod transport;
#[cfg(test)]
mod wire;
#[cfg(test)]
mod world;
