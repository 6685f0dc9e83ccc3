//! Why an envelope is not shown: a closed list, each with a code for programs and a sentence for a
//! person.

use plasma_e2ee::DecryptError;
use plasma_identity::ChainError;
use plasma_identity::encoding::DecodeError;

/// Why an envelope is not shown. A closed list that apps explain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UndecryptableReason {
    /// The protocol refuses the envelope.
    Protocol(DecryptError),
    /// The service shows no account for the user who is said to have sent it.
    UnknownSender,
    /// The sender's list of devices does not verify.
    SenderIdentity(ChainError),
    /// The content names a chat that the sender does not share with this user.
    WrongChat,
    /// The content is not one that this version knows.
    UnknownContent,
    /// The content is a message and came as something that costs its sender nothing.
    WrongClass,
}

/// One reason of each code.
const EVERY_CODE: [UndecryptableReason; 24] = [
    UndecryptableReason::Protocol(DecryptError::MalformedEnvelope(DecodeError::Truncated)),
    UndecryptableReason::Protocol(DecryptError::UnsupportedVersion),
    UndecryptableReason::Protocol(DecryptError::WrongAddress),
    UndecryptableReason::Protocol(DecryptError::UnknownSenderManifest),
    UndecryptableReason::Protocol(DecryptError::UnknownOwnManifest),
    UndecryptableReason::Protocol(DecryptError::UncertifiedSender),
    UndecryptableReason::Protocol(DecryptError::UncertifiedRecipient),
    UndecryptableReason::Protocol(DecryptError::UnknownSession),
    UndecryptableReason::Protocol(DecryptError::Duplicate),
    UndecryptableReason::Protocol(DecryptError::TooFarAhead),
    UndecryptableReason::Protocol(DecryptError::OutOfTurn),
    UndecryptableReason::Protocol(DecryptError::PqOutOfTurn),
    UndecryptableReason::Protocol(DecryptError::BadCommitment),
    UndecryptableReason::Protocol(DecryptError::BadMac),
    UndecryptableReason::Protocol(DecryptError::BadPadding),
    UndecryptableReason::Protocol(DecryptError::BadSignature),
    UndecryptableReason::Protocol(DecryptError::MissingPrekey),
    UndecryptableReason::Protocol(DecryptError::ExpiredKeys),
    UndecryptableReason::Protocol(DecryptError::ReplayedInitiation),
    UndecryptableReason::UnknownSender,
    UndecryptableReason::SenderIdentity(ChainError::Empty),
    UndecryptableReason::WrongChat,
    UndecryptableReason::UnknownContent,
    UndecryptableReason::WrongClass,
];

impl UndecryptableReason {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Protocol(error) => error.reason(),
            Self::UnknownSender => "UNKNOWN_SENDER",
            Self::SenderIdentity(_) => "SENDER_IDENTITY_REFUSED",
            Self::WrongChat => "WRONG_CHAT",
            Self::UnknownContent => "UNKNOWN_CONTENT",
            Self::WrongClass => "WRONG_CLASS",
        }
    }

    /// Says in one sentence for a person what happened and what to do. Whether the message is
    /// being fetched again is [`Repair`](crate::Repair)'s to say.
    pub fn explain(&self) -> &'static str {
        match self {
            Self::Protocol(error) => explain_protocol(error),
            Self::UnknownSender => {
                "Somebody without an account is said to have written; there is nothing to do."
            }
            Self::SenderIdentity(_) => {
                "The sender's list of devices is not genuine, so that the message was refused; \
                 compare safety numbers with the sender before you go on."
            }
            Self::WrongChat => {
                "The message was meant for a chat that the sender does not share with you, so that \
                 it was refused; there is nothing to do."
            }
            Self::UnknownContent => {
                "The message is of a kind that this version of the app cannot show; update the \
                 app and ask the sender to send it again."
            }
            Self::WrongClass => {
                "The message was sent as a notice, which costs nothing and holds nothing that a \
                 person wrote, so that it was refused; ask the sender to send it as a message."
            }
        }
    }

    /// Explains a stored code; `None` for a code that is not on the list.
    pub fn explain_code(code: &str) -> Option<&'static str> {
        EVERY_CODE.iter().find(|reason| reason.code() == code).map(Self::explain)
    }
}

fn explain_protocol(error: &DecryptError) -> &'static str {
    match error {
        DecryptError::MalformedEnvelope(_) => {
            "Something arrived that is no message at all; there is nothing to do."
        }
        DecryptError::UnsupportedVersion => {
            "The sender's app is newer than this one; update the app and ask the sender to send \
             the message again."
        }
        DecryptError::WrongAddress => {
            "A message for another device was handed to this one and refused; there is nothing to \
             do."
        }
        DecryptError::UnknownSenderManifest => {
            "The service does not show the list of devices under which the sender wrote; ask the \
             sender to send the message again."
        }
        DecryptError::UnknownOwnManifest => {
            "The sender wrote to a list of your devices that the service does not show; look at \
             your devices, then ask the sender to send the message again."
        }
        DecryptError::UncertifiedSender => {
            "A device that does not belong to the sender wrote in the sender's name and was \
             refused; there is nothing to do."
        }
        DecryptError::UncertifiedRecipient => {
            "The sender's app does not count this device among yours; ask the sender to send the \
             message again."
        }
        DecryptError::UnknownSession | DecryptError::OutOfTurn | DecryptError::PqOutOfTurn => {
            "This device and the sender's had lost each other; wait while the message is fetched \
             again."
        }
        DecryptError::Duplicate => {
            "A message arrived with a key that had been used before, as when the sender has put \
             back a backup; wait while it is fetched again, unless you have it already."
        }
        DecryptError::TooFarAhead => {
            "Too many messages before this one are missing; wait while it is fetched again."
        }
        DecryptError::BadCommitment => {
            "The message was locked with keys that this device does not have; wait while it is \
             fetched again."
        }
        DecryptError::BadMac | DecryptError::BadPadding => {
            "The message was changed on its way and refused; ask the sender to send it again."
        }
        DecryptError::BadSignature => {
            "Somebody wrote in the sender's name without the sender's key and was refused; there \
             is nothing to do."
        }
        DecryptError::MissingPrekey | DecryptError::ExpiredKeys => {
            "The message was locked with a key that this device no longer has, as after putting \
             back a backup or a long time away; wait while it is fetched again."
        }
        DecryptError::ReplayedInitiation => {
            "The beginning of a conversation arrived a second time; wait while the message is \
             fetched again, unless you have it already."
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The codes as the document lists them, in the tables that have a column of that name.
    fn documented() -> BTreeSet<String> {
        let text = include_str!("../../docs/PROTOCOL.md");
        let (_, from) = text.split_once("| Reason | Meaning |").unwrap();
        let (table, _) = from.split_once("\n\n").unwrap();
        let cells = table.lines().filter_map(|line| line.strip_prefix("| `"));
        let codes = cells.flat_map(|line| {
            let (cell, _) = line.split_once(" |").unwrap();
            cell.split(',').map(|code| code.trim_matches(['`', ' ']).to_owned()).collect::<Vec<_>>()
        });
        codes.collect()
    }

    #[test]
    fn every_reason_has_a_code_of_its_own_and_is_explained_in_a_sentence() {
        let codes: BTreeSet<_> = EVERY_CODE.iter().map(|reason| reason.code().to_owned()).collect();
        assert_eq!(codes.len(), EVERY_CODE.len());
        assert_eq!(codes, documented(), "the document lists the same codes");
        for reason in EVERY_CODE {
            let explained = reason.explain();
            assert_eq!(UndecryptableReason::explain_code(reason.code()), Some(explained));
            assert!(explained.ends_with('.') && explained.matches('.').count() == 1, "{explained}");
            let advice = ["nothing to do", "wait ", "ask ", "compare "];
            assert!(advice.iter().any(|advice| explained.contains(advice)), "{explained}");
            assert!(!explained.contains("  "), "{explained}");
            let waits = explained.contains("wait ");
            if let UndecryptableReason::Protocol(error) = reason {
                let repaired = error.is_repairable() || error == DecryptError::Duplicate;
                assert_eq!(waits, repaired, "{explained}");
            } else {
                assert!(!waits, "{explained}");
            }
        }
        assert_eq!(UndecryptableReason::explain_code("NO_SUCH_CODE"), None);
    }
}
