//! Generates the Rust side of the contract: messages, services, the table of methods with the
//! principals they allow, and the checks that the field rules ask for.
//!
//! Owns nothing at run time: its output under `proto/src/gen` is checked in, so that a build needs
//! neither protoc nor this program. Run it with `make gen`.

mod methods;
mod names;
mod rules;
mod validate;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use prost_reflect::DescriptorPool;

/// Where the generated codec of every service lives.
const CODEC: &str = "crate::codec::PlasmaCodec";

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let out = root.join("src/gen");
    std::fs::create_dir_all(&out)?;

    let files = proto_files(&root.join("plasma"))?;
    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_imports(true).include_source_info(true).open_files(&files)?;
    let pool = compiler.descriptor_pool();
    generate_messages(compiler.file_descriptor_set(), &out)?;
    std::fs::write(out.join("descriptor.bin"), descriptor_without_sources(&files, &root)?)?;
    std::fs::write(out.join("methods.rs"), methods::render(&pool)?)?;
    std::fs::write(out.join("validate.rs"), validate::render(&pool)?)?;
    report(&pool);
    Ok(())
}

fn proto_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(proto_files(&path)?);
        } else if path.extension().is_some_and(|ending| ending == "proto") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn generate_messages(set: prost_types::FileDescriptorSet, out: &Path) -> Result<()> {
    tonic_prost_build::configure()
        .codec_path(CODEC)
        .bytes(".")
        // Its constructor would be named as the call `Connect` is.
        .build_transport(false)
        .emit_rerun_if_changed(false)
        .out_dir(out)
        .compile_fds(set)
        .context("generate messages and services")
}

/// The descriptor that reflection serves, options included and comments left out.
fn descriptor_without_sources(files: &[PathBuf], root: &Path) -> Result<Vec<u8>> {
    let mut compiler = protox::Compiler::new([root])?;
    compiler.include_imports(true).include_source_info(false).open_files(files)?;
    Ok(compiler.encode_file_descriptor_set())
}

fn report(pool: &DescriptorPool) {
    let methods: usize = pool.services().map(|service| service.methods().len()).sum();
    println!("generated {} services with {methods} methods", pool.services().len());
}
