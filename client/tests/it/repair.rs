//! Devices that have lost each other find back by themselves.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use plasma_client::{
    ChatId, Device, Endpoint, Event, Events, Repair, Store, UndecryptableReason, accept,
};
use plasma_proto::error::v1::ErrorReason;
use plasma_testkit::platform::{amount, time_pass};
use plasma_testkit::{ClusterKind, Onboarding};

use crate::world::{SOON, World, open, shows, texts, until};

/// A person with one device, whose memory is a file.
struct Person {
    endpoint: Endpoint,
    folder: tempfile::TempDir,
    device: Device,
}

impl Person {
    async fn new(world: &World, name: &str, node: usize) -> Result<Self> {
        let (endpoint, folder) = (world.endpoint(node), tempfile::tempdir()?);
        let store = Store::open(&folder.path().join("device.sqlite"))?;
        let device = world.first_device_in(name, &endpoint, store).await?;
        Ok(Self { endpoint, folder, device })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Copies the device's memory as a backup does.
    fn back_up(&self) -> Result<()> {
        let copy = self.path("backup.sqlite");
        let path = copy.to_str().context("a path")?;
        database(&self.path("device.sqlite"))?.execute("VACUUM INTO ?1", [path])?;
        Ok(())
    }

    /// Goes on from the backup.
    fn put_back(&mut self) -> Result<()> {
        self.device = Device::open(&self.endpoint, Store::open(&self.path("backup.sqlite"))?)?;
        Ok(())
    }
}

fn database(path: &Path) -> Result<rusqlite::Connection> {
    let database = rusqlite::Connection::open(path)?;
    database.busy_timeout(SOON)?;
    Ok(database)
}

async fn connected(device: &Device) -> Events {
    let mut events = device.receive();
    until(&mut events, |event| matches!(event, Event::QueueEmpty)).await;
    events
}

async fn says(from: &Device, to: &Device, chat: ChatId, text: &str) -> Result<()> {
    from.send_text(chat, text).await?;
    let begun = Instant::now();
    while !texts(to, chat).iter().any(|shown| shown == text) {
        assert!(begun.elapsed() < SOON, "{text:?} does not come: {:?}", to.not_shown()?);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Waits until what was not shown, a message or a receipt, has come after all.
async fn all_repaired(device: &Device) -> Result<()> {
    let begun = Instant::now();
    loop {
        let kept = device.not_shown()?;
        if kept.iter().all(|kept| kept.repair == Repair::Resolved) {
            return Ok(());
        }
        assert!(begun.elapsed() < SOON, "{kept:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_was_put_back_heals_by_itself() -> Result<()> {
    for (kind, told) in [
        (ClusterKind::Embedded, false),
        (ClusterKind::Embedded, true),
        (ClusterKind::Scaled, false),
        (ClusterKind::Scaled, true),
    ] {
        let world = World::start(kind).await?;
        let mut ann = Person::new(&world, "ann", 0).await?;
        let bob = world.first_device("bob", &world.endpoint(1)).await?;
        let chat = open(&ann.device, &bob.create_link().await?).await?;
        let _bobs = connected(&bob).await;
        let anns = connected(&ann.device).await;
        says(&ann.device, &bob, chat, "one").await?;
        says(&bob, &ann.device, chat, "two").await?;
        ann.back_up()?;
        // Life goes on after the backup, over several turns of the ratchet.
        says(&ann.device, &bob, chat, "three").await?;
        says(&bob, &ann.device, chat, "four").await?;
        says(&ann.device, &bob, chat, "five").await?;
        drop(anns);
        bob.send_text(chat, "six").await?;

        ann.put_back()?;
        if told {
            ann.device.after_restore()?;
        }
        let _anns = connected(&ann.device).await;
        shows(&ann.device, chat, &["one", "two", "six"]).await;
        all_repaired(&ann.device).await?;
        says(&ann.device, &bob, chat, "seven").await?;
        says(&bob, &ann.device, chat, "eight").await?;
        let all = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
        shows(&bob, chat, &all).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_session_heals_while_both_are_online() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let world = World::start(kind).await?;
        let ann = world.first_device("ann", &world.endpoint(0)).await?;
        let bob = Person::new(&world, "bob", 1).await?;
        let chat = open(&ann, &bob.device.create_link().await?).await?;
        let _anns = connected(&ann).await;
        let mut bobs = connected(&bob.device).await;
        says(&ann, &bob.device, chat, "one").await?;
        says(&bob.device, &ann, chat, "two").await?;
        database(&bob.path("device.sqlite"))?.execute("DELETE FROM session", [])?;
        ann.send_text(chat, "three").await?;
        let before = until(&mut bobs, |event| matches!(event, Event::Repaired { .. })).await;
        let lost = before.iter().find_map(|event| match event {
            Event::Undecryptable(kept) => Some((kept.reason.code(), kept.repair)),
            _ => None,
        });
        assert_eq!(lost, Some(("UNKNOWN_SESSION", Repair::Requested)), "{kind:?}");
        shows(&bob.device, chat, &["one", "two", "three"]).await;
        all_repaired(&bob.device).await?;
        let kept = bob.device.not_shown()?;
        let explained = UndecryptableReason::explain_code("UNKNOWN_SESSION");
        assert_eq!(Some(kept[0].explanation), explained);
        says(&bob.device, &ann, chat, "four").await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_the_devices_of_yesterday_reaches_the_one_of_today() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let world = World::start(kind).await?;
        let ann = world.first_device("ann", &world.endpoint(0)).await?;
        let bob = world.first_device("bob", &world.endpoint(1)).await?;
        let chat = open(&ann, &bob.create_link().await?).await?;
        assert_eq!(ann.send_text(chat, "before").await?.deliveries.len(), 1);
        // Bob links a device before he reads it: the sender had not seen that one.
        let second = world.linked("bob", &bob, &world.endpoint(1)).await?;
        let _bobs = connected(&bob).await;
        let _seconds = connected(&second).await;
        shows(&bob, chat, &["before"]).await;
        shows(&second, chat, &["before"]).await;
        let forwarded = &second.history(chat)?[0];
        assert_eq!(forwarded.sender, ann.address(), "{kind:?}: its author, not who forwarded it");
        assert!(second.not_shown()?.is_empty());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_message_is_repaired_after_the_pass_has_ended() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let world = World::of_platform(kind, Onboarding::paid("Market", 1_000)).await?;
        let price = time_pass(amount("EUR", 250), 4);
        world.platform.publish_price(price, None, 8_000).await?;
        let ann = world.first_device("ann", &world.endpoint(0)).await?;
        let bob = Person::new(&world, "bob", 1).await?;
        let user = world.platform.lookup("ann").await?;
        world.platform.credit(&user, amount("EUR", 250)).await?;
        let resolved = ann.resolve(&bob.device.create_link().await?).await?;
        let chat = ann.open_chat(&resolved, accept(&resolved.quote)).await?.chat.id;
        let _anns = connected(&ann).await;
        {
            let _bobs = connected(&bob.device).await;
            says(&ann, &bob.device, chat, "one").await?;
            says(&bob.device, &ann, chat, "two").await?;
        }
        ann.send_text(chat, "paid").await?;
        database(&bob.path("device.sqlite"))?.execute("DELETE FROM session", [])?;
        let begun = Instant::now();
        loop {
            match ann.send_text(chat, "is it over?").await {
                Err(error) if error.reason() == Some(ErrorReason::AccessRequired) => break,
                _ => assert!(begun.elapsed() < SOON, "the pass does not end"),
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let _bobs = connected(&bob.device).await;
        let begun = Instant::now();
        while !texts(&bob.device, chat).iter().any(|text| text == "paid") {
            assert!(begun.elapsed() < SOON, "{kind:?}: {:?}", bob.device.not_shown()?);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let wallet = world.platform.wallet(&user, "EUR").await?;
        assert_eq!(wallet.balance.context("a balance")?.minor_units, 0, "paid once");
    }
    Ok(())
}
