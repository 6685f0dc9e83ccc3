//! Ids of what a device names in calls: a UUID with the prefix of its text form.

use std::fmt;

use uuid::Uuid;

use crate::error::Error;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Reads the text form.
            pub fn parse(text: &str) -> Result<Self, Error> {
                parse($prefix, text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&plasma_proto::id::format($prefix, self.0.as_u128()))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

ids! {
    /// A conversation of two users.
    ChatId = "chat";
    /// A message, chosen by its sender.
    MessageId = "msg";
}

/// Reads the id of a prefix out of an answer.
pub(crate) fn parse(prefix: &'static str, text: &str) -> Result<Uuid, Error> {
    let value = plasma_proto::id::parse(prefix, text).ok_or(Error::Answer(prefix))?;
    Ok(Uuid::from_u128(value))
}

/// Writes an id.
pub(crate) fn format(prefix: &str, id: Uuid) -> String {
    plasma_proto::id::format(prefix, id.as_u128())
}
