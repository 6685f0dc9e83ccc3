//! Enrolled users in a file, to be used again by the next run on the same database. The file holds
//! the keys of devices that exist for loads alone; it is readable for its owner only.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plasma_e2ee::DeviceKeys;
use serde::{Deserialize, Serialize};

use super::{Chat, Population};
use crate::traffic::Identity;

/// Raised whenever the file would be read otherwise.
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Written {
    version: u32,
    users: Vec<WrittenUser>,
    chats: Vec<Chat>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WrittenUser {
    keys: String,
    manifest_hash: String,
}

impl Population {
    /// Reads what [`Population::save`] wrote; `None` where there is no file.
    pub fn load(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let read = || {
            let written: Written = serde_json::from_slice(&fs::read(path)?)?;
            ensure!(written.version == VERSION, "it was written by another version");
            let identities = written.users.iter().map(|user| {
                let keys = DeviceKeys::from_bytes(&STANDARD.decode(&user.keys)?)?;
                let manifest_hash = STANDARD.decode(&user.manifest_hash)?.into();
                Ok(Arc::new(Identity { keys, manifest_hash }))
            });
            let identities: Vec<_> = identities.collect::<Result<_>>()?;
            let is_known = |chat: &Chat| chat.users.iter().all(|user| *user < identities.len());
            ensure!(written.chats.iter().all(is_known), "a chat is of an unknown user");
            Ok(Self { identities, chats: written.chats })
        };
        read().map(Some).with_context(|| {
            format!("{} is not readable; delete its folder to begin anew", path.display())
        })
    }

    /// Writes the users, whole or not at all.
    pub fn save(&self, path: &Path) -> Result<()> {
        let users = self.identities.iter().map(|identity| WrittenUser {
            keys: STANDARD.encode(&*identity.keys.to_bytes()),
            manifest_hash: STANDARD.encode(&identity.manifest_hash),
        });
        let written =
            Written { version: VERSION, users: users.collect(), chats: self.chats.clone() };
        let write = || {
            let part = path.with_extension("part");
            let mut options = fs::OpenOptions::new();
            let mut file =
                options.write(true).create(true).truncate(true).mode(0o600).open(&part)?;
            file.write_all(&serde_json::to_vec(&written)?)?;
            file.sync_all()?;
            fs::rename(part, path)?;
            anyhow::Ok(())
        };
        write().with_context(|| format!("write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    use getrandom::SysRng;
    use plasma_e2ee::DeviceKeys;
    use plasma_e2ee::rand_core::UnwrapErr;
    use plasma_identity::DeviceAddress;
    use uuid::Uuid;

    use super::super::{Chat, Population};
    use crate::traffic::Identity;

    #[test]
    fn users_are_read_as_they_were_written_and_by_their_owner_alone() {
        let identity = |number: u8| {
            let [tenant, user, device] =
                [1, 2, 3].map(|id| Uuid::from_u128(id + u128::from(number)));
            let address = DeviceAddress { tenant, user, device };
            let keys = DeviceKeys::generate(address, &mut UnwrapErr(SysRng));
            Arc::new(Identity { keys, manifest_hash: vec![number; 32].into() })
        };
        let population = Population {
            identities: vec![identity(10), identity(20)],
            chats: vec![Chat { id: "chat_1".to_owned(), users: [0, 1] }],
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identities.json");
        assert!(Population::load(&path).unwrap().is_none());
        population.save(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read = Population::load(&path).unwrap().unwrap();
        assert_eq!(read.chats, population.chats);
        for (read, written) in read.identities.iter().zip(&population.identities) {
            assert_eq!(read.address(), written.address());
            assert_eq!(read.keys.to_bytes(), written.keys.to_bytes());
            assert_eq!(read.manifest_hash, written.manifest_hash);
        }
        assert_eq!(read.first(1).chats, []);
        std::fs::write(&path, "{}").unwrap();
        assert!(Population::load(&path).unwrap_err().to_string().contains("delete"));
    }
}
