//! How the user has set up chats and the account, the same on every own device.

use plasma_proto::content::v1::content::Body;

use super::Device;
use crate::error::Error;
use crate::id::ChatId;
use crate::message::SendReport;
use crate::store::settings::{self, AccountSetup, ChatSetup};

impl Device {
    /// Silences a chat on every own device until a moment, in microseconds since 1970; `None` lets
    /// it be heard again.
    pub async fn mute(&self, chat: ChatId, until_micros: Option<i64>) -> Result<SendReport, Error> {
        self.known_chat(chat).await?;
        let before = self.inner.store.read(|db| settings::chat(db, chat))?;
        let setup = ChatSetup {
            mute_until_micros: until_micros,
            set_micros: self.set_after(before.set_micros),
        };
        self.send_own(Some(chat), Body::ChatSettings(setup.to_content())).await
    }

    /// Tells whether peers are told what was read here; they are unless that is switched off.
    pub fn sends_read_receipts(&self) -> Result<bool, Error> {
        Ok(self.inner.store.read(settings::account)?.send_read_receipts)
    }

    /// Sets on every own device whether peers are told what was read.
    pub async fn set_read_receipts(&self, on: bool) -> Result<SendReport, Error> {
        let before = self.inner.store.read(settings::account)?;
        let setup =
            AccountSetup { send_read_receipts: on, set_micros: self.set_after(before.set_micros) };
        self.send_own(None, Body::AccountSettings(setup.to_content())).await
    }

    /// A setting made now is later than the one before, whatever the clocks say.
    fn set_after(&self, before_micros: i64) -> i64 {
        self.inner.env.now_micros().max(before_micros.saturating_add(1))
    }
}
