//! Telling the peer that its messages have come.

use plasma_proto::content::v1 as pb;

use super::Device;
use super::contents::receipt;
use crate::content::RECEIPT_MESSAGES_MAX;
use crate::error::Error;
use crate::store::outbox::Route;
use crate::store::{chats, receipts};

impl Device {
    /// Sends one receipt for each chat with messages whose sender has not been told, and answers
    /// whether more wait. Where nobody may write in the chat now, nobody is told.
    pub(crate) async fn send_due_receipts(&self) -> Result<bool, Error> {
        let outgoing = self.inner.store.write(|tx| {
            let mut outgoing = Vec::new();
            for chat in receipts::chats(tx)? {
                let messages = receipts::take(tx, chat, RECEIPT_MESSAGES_MAX)?;
                let Some(known) = chats::load(tx, chat)? else { continue };
                let receipt = receipt(pb::ReceiptKind::Delivered, &messages);
                outgoing.push(self.write_down(tx, Route::Chat(chat), Some(known), receipt)?);
            }
            Ok::<_, Error>(outgoing)
        })?;
        for outgoing in &outgoing {
            self.transmit_patiently(outgoing).await?;
        }
        Ok(!self.inner.store.read(receipts::chats)?.is_empty())
    }
}
