//! `ratchet.chain`: one device writes message after message of 1 KiB without an answer, compared
//! with the encryption, the decryption and the two key derivations of such a message.

use anyhow::Result;

use super::conversation::Conversation;
use super::{Contest, bare, olm};
use crate::options::{FigureName, Options};
use crate::report::Figure;

pub(super) fn measure(options: &Options) -> Result<Figure> {
    let mut conversation = Conversation::begin()?;
    let mut theirs = olm::Conversation::begin()?;
    let mut message = bare::Message::new()?;
    Contest {
        name: FigureName::RatchetChain,
        unit: "µs/message",
        times: if options.quick { 2_000 } else { 20_000 },
        ours: Box::new(move || conversation.step()),
        bare_is: "AES-GCM and HKDF, both sides",
        bare: Box::new(move || {
            message.seal()?;
            message.open()
        }),
        vodozemac: Some(Box::new(move || theirs.step())),
    }
    .hold(options)
}
