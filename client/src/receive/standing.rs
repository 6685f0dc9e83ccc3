//! Whether an envelope's class allows what is in it, so that nobody who pays for messages one by one
//! sends them as something that costs nothing.

use plasma_identity::DeviceAddress;
use plasma_proto::messaging::v1::{Envelope, EnvelopeClass};
use rusqlite::Transaction;

use crate::content::{Allows, Opened};
use crate::device::Device;
use crate::store::{StoreError, messages, opened, undecryptable};

/// What becomes of a content for the class of its envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is applied.
    Allowed,
    /// It was sent once more and has come before.
    Here,
    /// It is a message and came as something else.
    Unpaid,
}

impl Device {
    /// Holds a content against the class of the envelope that it came in.
    pub(super) fn standing(
        &self,
        tx: &Transaction<'_>,
        envelope: &Envelope,
        sender: DeviceAddress,
        outer: &Opened,
    ) -> Result<Standing, StoreError> {
        if self.is_own(sender) || outer.body.class() == EnvelopeClass::Notice {
            return Ok(Standing::Allowed);
        }
        match Allows::of(envelope) {
            Allows::Everything => Ok(Standing::Allowed),
            Allows::Notices => Ok(Standing::Unpaid),
            Allows::Repairs if undecryptable::is_asked_for(tx, sender, outer.id.0)? => {
                Ok(Standing::Allowed)
            }
            Allows::Repairs => {
                let here = messages::is_kept(tx, sender, outer.id.0)?
                    || opened::contains(tx, sender, outer.id.0)?;
                Ok(if here { Standing::Here } else { Standing::Unpaid })
            }
        }
    }
}
