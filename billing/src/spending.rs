//! Messages that a bundle pays for: a unit is spent before the message is relayed, and the same
//! message is not paid for twice.

use plasma_kit::db::TenantClaim;
use plasma_kit::ids::{ChatId, MessageId, TenantId, UserId};
use plasma_kit::status::{ErrorReason, Failure};

use crate::Billing;
use crate::store::spent_messages::{self, Sent};

/// How often a unit is looked for after a parallel message took the last one of a bundle.
const ATTEMPTS: u32 = 16;

impl Billing {
    /// Spends a unit of the sender's bundles in a chat for a message, or finds that it is paid for.
    /// `digest` is over all that is sent under the message's id: another one is another message.
    ///
    /// Fails with `ACCESS_REQUIRED` where no unit is left.
    pub async fn spend(
        &self,
        chat: ChatId,
        sender: (TenantId, UserId),
        message: MessageId,
        digest: [u8; 32],
    ) -> Result<(), Failure> {
        let sent = Sent { chat, message, digest };
        let db = self.db.tenant(TenantClaim::of_peer(sender.0));
        for _ in 0..ATTEMPTS {
            let tx = db.begin().await?;
            let Some(pass) = spent_messages::take(&tx, sender.1, chat).await? else {
                // A look at what is there, and not at what this transaction saw when it began.
                tx.rollback().await?;
                if spent_messages::is_paid(&db, &sent).await? {
                    return Ok(());
                }
                if spent_messages::has_any(&db, sender.1, chat).await? {
                    continue;
                }
                return Err(none_left());
            };
            if spent_messages::insert(&tx, &sent, pass, self.env.now()).await? {
                tx.commit().await?;
            } else {
                tx.rollback().await?;
            }
            return Ok(());
        }
        Err(Failure::conflict())
    }
}

fn none_left() -> Failure {
    Failure::precondition(
        ErrorReason::AccessRequired,
        "the messages that were paid for are spent; buy access to send more",
    )
    .with("cause", "bundle_spent")
}
