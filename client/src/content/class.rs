//! Which contents are notices, that no bundle of messages pays for, and what a receiver believes of
//! the class that an envelope came with.

use plasma_proto::messaging::v1::{Envelope, EnvelopeClass};
use unicode_segmentation::UnicodeSegmentation;

use super::Body;

/// What an envelope's class allows its content to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allows {
    /// Whatever there is.
    Everything,
    /// Notices.
    Notices,
    /// Notices, and a message that this device asked for once more.
    Repairs,
}

impl Allows {
    /// What the envelope's class allows. A class of a later version allows no more than a notice.
    pub(crate) fn of(envelope: &Envelope) -> Self {
        match EnvelopeClass::try_from(envelope.envelope_class) {
            // A service from before there were classes names none.
            Ok(EnvelopeClass::Message | EnvelopeClass::Unspecified) => Self::Everything,
            Ok(EnvelopeClass::Control) => Self::Repairs,
            Ok(EnvelopeClass::Notice) | Err(_) => Self::Notices,
        }
    }
}

impl Body {
    /// The class under which it is sent to a peer: nothing that a person has written is a notice.
    pub(crate) fn class(&self) -> EnvelopeClass {
        match self {
            Self::Receipt { .. }
            | Self::Typing { .. }
            | Self::Deletion { .. }
            | Self::DisappearingTimer { .. } => EnvelopeClass::Notice,
            Self::Reaction { emoji, .. } if is_sign(emoji) => EnvelopeClass::Notice,
            // The last four are for own devices, of which nothing is counted.
            Self::Reaction { .. }
            | Self::Text(_)
            | Self::Edit { .. }
            | Self::Forward { .. }
            | Self::DeviceName(_)
            | Self::ChatSettings(_)
            | Self::AccountSettings(_) => EnvelopeClass::Message,
        }
    }
}

/// Tells whether a reaction is taken back, or one sign without a letter or digit in it: a word, or
/// what could be spelt letter by letter, is a message.
fn is_sign(emoji: &str) -> bool {
    emoji.graphemes(true).nth(1).is_none() && !emoji.chars().any(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_is_one_and_holds_no_letter() {
        for sign in ["", "👍", "❤️", "👩🏽‍🚀", "🇨🇭", "🏴‍☠️", "✅", "?"]
        {
            assert!(is_sign(sign), "{sign}");
        }
        for word in ["a", "no", "7", "👍👍", "Ja", "🅰", "ñ", "の", "a\u{20e3}", "1️⃣", "👍 "]
        {
            assert!(!is_sign(word), "{word}");
        }
    }

    #[test]
    fn a_class_that_is_not_known_allows_no_more_than_a_notice() {
        let allows =
            |number| Allows::of(&Envelope { envelope_class: number, ..Envelope::default() });
        let numbers = [0, 1, 2, 3, 4, -1];
        let expected = [
            Allows::Everything,
            Allows::Everything,
            Allows::Notices,
            Allows::Repairs,
            Allows::Notices,
            Allows::Notices,
        ];
        assert_eq!(numbers.map(allows), expected);
    }
}
