//! People of the story and the devices in their hands.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use parking_lot::Mutex;
use plasma_client::{
    ChatId, ContactLink, Device, Endpoint, Event, OpenChat, Resolved, SendReport, Store, accept,
};
use plasma_identity::UserAddress;
use plasma_testkit::Platform;
use plasma_testkit::secret;
use tokio::task::JoinHandle;

/// How long anything that is to happen by itself may take.
pub const SOON: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(20);

/// A device of a person, listening or not.
#[derive(Debug)]
pub struct Gadget {
    /// What a person calls it.
    pub label: String,
    /// The device.
    pub device: Device,
    listening: Option<Listening>,
}

#[derive(Debug)]
struct Listening {
    heard: Arc<Mutex<Heard>>,
    task: JoinHandle<()>,
}

/// What a device was told while it listened.
#[derive(Debug, Default)]
struct Heard {
    queue_empty: bool,
    odd: Vec<String>,
    stopped: Option<String>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Gadget {
    /// A device in somebody’s hand, not listening yet.
    pub fn new(label: String, device: Device) -> Self {
        Self { label, device, listening: None }
    }

    /// Goes online and waits until everything stored for the device has been taken.
    pub async fn online(&mut self) -> Result<()> {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let (mut events, into) = (self.device.receive(), Arc::clone(&heard));
        let task = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                match event {
                    Event::QueueEmpty => into.lock().queue_empty = true,
                    Event::Stopped(cause) => into.lock().stopped = Some(cause.explain()),
                    odd @ (Event::Undecryptable(_)
                    | Event::Relabelled { .. }
                    | Event::IdentityChanged { .. }
                    | Event::Disconnected(_)) => into.lock().odd.push(format!("{odd:?}")),
                    _ => {}
                }
            }
        });
        self.listening = Some(Listening { heard: Arc::clone(&heard), task });
        until(&format!("{} to be online", self.label), || Ok(heard.lock().queue_empty)).await
    }

    /// Goes offline: the stream ends without a word to the service.
    pub fn offline(&mut self) {
        self.listening = None;
    }

    /// Lists what the device could not open or believe: nothing, when all is well.
    pub fn odd(&self) -> Vec<String> {
        let heard = self.listening.as_ref().map(|listening| listening.heard.lock().odd.clone());
        heard.unwrap_or_default()
    }

    /// Says why the device listens no more, where it has stopped.
    pub fn stopped(&self) -> Option<String> {
        self.listening.as_ref().and_then(|listening| listening.heard.lock().stopped.clone())
    }

    /// Lists the texts of a chat in the order shown.
    pub fn texts(&self, chat: ChatId) -> Result<Vec<String>> {
        let history = self.device.history(chat)?;
        Ok(history.into_iter().map(|message| message.text).collect())
    }

    /// Waits until the device shows a text.
    pub async fn shows(&self, chat: ChatId, text: &str) -> Result<()> {
        let what = format!("{} to show “{text}”", self.label);
        until(&what, || Ok(self.texts(chat)?.iter().any(|shown| shown == text))).await
    }
}

/// Somebody whom a platform vouches for.
#[derive(Debug)]
pub struct Person {
    /// First name; only this story knows it.
    pub name: &'static str,
    /// The platform's own id of the person.
    pub partner_id: String,
    /// The user at the service, `user_…`.
    pub user_id: String,
    /// The devices, the first one first.
    pub gadgets: Vec<Gadget>,
}

impl Person {
    /// Arrives with a phone, on the platform's word.
    pub async fn arrive(
        name: &'static str,
        platform: &Platform,
        endpoint: &Endpoint,
        folder: &Path,
    ) -> Result<Self> {
        let partner_id = format!("customer-{}-{}", name.to_lowercase(), secret::name());
        let token = platform.user_token(&partner_id)?;
        let store = Store::open(&folder.join(format!("{name}-phone.sqlite")))?;
        let tenant = tenant_of(platform)?;
        let device = Device::register_first(endpoint, store, tenant, &token).await?;
        let user_id = platform.lookup(&partner_id).await?;
        let phone = Gadget::new(format!("{name}’s phone"), device);
        Ok(Self { name, partner_id, user_id, gadgets: vec![phone] })
    }

    /// Takes a laptop, which shows a code that the phone scans. Answers the check code that both
    /// show, or that they differ.
    pub async fn add_laptop(
        &mut self,
        platform: &Platform,
        endpoint: &Endpoint,
        folder: &Path,
    ) -> Result<String> {
        let store = Store::open(&folder.join(format!("{}-laptop.sqlite", self.name)))?;
        let token = platform.user_token(&self.partner_id)?;
        let (tenant, phone) = (tenant_of(platform)?, &self.phone().device);
        let name = format!("{}’s laptop", self.name);
        let mut pending = Device::start_linking(endpoint, store, tenant, &token, &name).await?;
        let approval = phone.scan_linking(&pending.qr_text()).await?;
        let (seen, shown) = (approval.check_code(), pending.check_code().await?.code);
        ensure!(seen == shown, "the phone shows {seen}, the laptop {shown}");
        let (device, approved) =
            tokio::join!(Box::pin(pending.complete()), Box::pin(approval.approve(true)));
        approved?;
        self.gadgets.push(Gadget::new(name, device?));
        Ok(shown)
    }

    /// The first device.
    pub fn phone(&self) -> &Gadget {
        &self.gadgets[0]
    }

    /// The device added last, or the only one.
    pub fn laptop(&self) -> &Gadget {
        &self.gadgets[self.gadgets.len() - 1]
    }

    /// The device added last, or the only one.
    pub fn laptop_mut(&mut self) -> &mut Gadget {
        let last = self.gadgets.len() - 1;
        &mut self.gadgets[last]
    }

    /// Who the person is to the protocol.
    pub fn user(&self) -> UserAddress {
        self.phone().device.user()
    }

    /// Brings every device online.
    pub async fn online(&mut self) -> Result<()> {
        for gadget in &mut self.gadgets {
            gadget.online().await?;
        }
        Ok(())
    }

    /// Scans a link and accepts what it asks for.
    pub async fn open(&self, link: &ContactLink) -> Result<(Resolved, OpenChat)> {
        let resolved = self.phone().device.resolve(link).await?;
        let opened = self.phone().device.open_chat(&resolved, accept(&resolved.quote)).await?;
        Ok((resolved, opened))
    }

    /// Sends from the phone.
    pub async fn say(&self, chat: ChatId, text: &str) -> Result<SendReport> {
        let sent = self.phone().device.send_text(chat, text).await;
        sent.with_context(|| format!("{} says “{text}”", self.name))
    }
}

/// Waits until something has happened by itself.
pub async fn until(what: &str, mut happened: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !happened()? {
        ensure!(begun.elapsed() < SOON, "waited {SOON:?} for {what}");
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// The platform as the protocol names it.
pub fn tenant_of(platform: &Platform) -> Result<plasma_client::Uuid> {
    let id = plasma_proto::id::parse("tenant", platform.tenant_id()).context("a tenant id")?;
    Ok(plasma_client::Uuid::from_u128(id))
}
