//! The bus over a Redis server in which strangers publish as well, or which takes nothing.

#[cfg(test)]
mod frozen;
#[cfg(test)]
mod strangers;
#[cfg(test)]
mod world;
