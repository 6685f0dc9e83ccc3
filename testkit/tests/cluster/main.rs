//! Several nodes on one machine, as processes.

#[cfg(test)]
mod program;
