//! Keys that the embedded default makes for itself: once, in files that only their owner reads.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use plasma_kit::Env;
use plasma_kit::secrets::Secrets;

use crate::config::Config;

/// The operator's key in force.
pub fn operator_key(config: &Config, env: &Env) -> Result<String> {
    match &config.operator_key {
        Some(key) => Ok(key.clone()),
        None => kept(&config.data_dir.join("operator.key"), || {
            format!("op_{}", URL_SAFE_NO_PAD.encode(env.random::<32>()))
        }),
    }
}

/// The master keys in force.
pub fn secrets(config: &Config, env: &Env) -> Result<Secrets> {
    if !config.master_keys.is_empty() {
        return Ok(Secrets::new(config.master_keys.clone())?);
    }
    let path = config.data_dir.join("master.key");
    let text = kept(&path, || STANDARD.encode(env.random::<32>()))?;
    let bytes = STANDARD.decode(text).with_context(|| format!("{} is damaged", path.display()))?;
    let key = bytes.try_into().map_err(|_| anyhow!("{} is damaged", path.display()))?;
    Ok(Secrets::new(vec![key])?)
}

/// Reads a kept key, or makes it.
fn kept(path: &Path, make: impl FnOnce() -> String) -> Result<String> {
    if path.exists() {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        return Ok(text.trim().to_owned());
    }
    let key = make();
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot keep a key in {}", path.display()))?;
    writeln!(file, "{key}")?;
    file.sync_all()?;
    Ok(key)
}
