//! Writes the vectors into their folder.

use std::fs;
use std::io::Result;

fn main() -> Result<()> {
    for (name, text) in plasma_vectors::files() {
        fs::write(plasma_vectors::folder().join(name), text)?;
    }
    Ok(())
}
