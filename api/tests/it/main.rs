//! What a service must stand on the wire: bad input in every field of every method, other
//! tenants' ids, wrong credentials, broken transports, and revocation that bites in time. Against
//! real `plasma serve` processes, embedded and on PostgreSQL and Redis with two nodes.
//!
//! The matrices are generated from the contract's descriptor: a method or a field that is added to
//! it is tested or fails the test for want of a fixture.

mod contract;
mod fixtures;
mod place;
mod rows;
mod wire;
mod world;
mod smoke;
mod spoil;
mod bad_input;
mod isolation;
mod credentials;
mod transport;
mod attacks;
