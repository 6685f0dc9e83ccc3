//! Writes the corpus to `fuzz/corpus`.

use std::fs;
use std::io::Result;

use plasma_fuzz_targets::corpus;

fn main() -> Result<()> {
    for entry in corpus::entries() {
        let folder = corpus::folder().join(entry.target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(entry.file), entry.bytes)?;
    }
    Ok(())
}
