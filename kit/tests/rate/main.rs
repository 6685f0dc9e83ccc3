//! Rate limits over a Redis server of their own.

#[cfg(test)]
mod nodes;
