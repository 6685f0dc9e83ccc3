//! The bus over a Redis server in which strangers publish as well.

#[cfg(test)]
mod strangers;
#[cfg(test)]
mod world;
