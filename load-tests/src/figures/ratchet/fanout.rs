//! `fanout.10`: one message of 1 KiB sealed for ten devices with established sessions, compared
//! with ten times the encryption and the key derivation of such a message.

use anyhow::Result;

use super::conversation::Conversation;
use super::{Contest, bare};
use crate::options::{FigureName, Options};
use crate::report::Figure;

const DEVICES: usize = 10;

pub(super) fn measure(options: &Options) -> Result<Figure> {
    let mut conversations =
        (0..DEVICES).map(|_| Conversation::begin()).collect::<Result<Vec<_>>>()?;
    let mut message = bare::Message::new()?;
    Contest {
        name: FigureName::Fanout10,
        unit: "µs/message",
        times: if options.quick { 200 } else { 2_000 },
        ours: Box::new(move || conversations.iter_mut().try_for_each(|to| to.seal().map(drop))),
        bare_is: "ten AES-GCM and HKDF",
        bare: Box::new(move || (0..DEVICES).try_for_each(|_| message.seal())),
        vodozemac: None,
    }
    .hold(options)
}
