//! What ends an access ends it within 5 seconds on every node, Redis alive or dead, and what else
//! an attacker tries over the wire.

mod removal;
mod revocation;
mod surface;
mod tokens;
