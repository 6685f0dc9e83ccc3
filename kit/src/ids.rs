//! Typed ids: a UUID with the prefix that its text form carries.

use std::fmt;

use uuid::Uuid;

/// An id that can be written and read with its prefix.
pub trait Id: Copy + Sized {
    /// The prefix of the text form, without the underscore.
    const PREFIX: &'static str;

    /// The bare UUID.
    fn uuid(self) -> Uuid;

    /// The id over a bare UUID.
    fn from_uuid(value: Uuid) -> Self;

    /// Reads the text form; `None` where it is not one.
    fn parse(text: &str) -> Option<Self> {
        plasma_proto::id::parse(Self::PREFIX, text)
            .map(|value| Self::from_uuid(Uuid::from_u128(value)))
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);

        impl Id for $name {
            const PREFIX: &'static str = $prefix;

            fn uuid(self) -> Uuid {
                self.0
            }

            fn from_uuid(value: Uuid) -> Self {
                Self(value)
            }
        }

        impl $name {
            /// Reads a field that the contract's rules have already checked.
            pub fn checked(text: &str) -> Self {
                Self::parse(text).expect("the codec checked the id")
            }

            /// Reads an optional field that the contract's rules have already checked.
            pub fn checked_optional(text: &str) -> Option<Self> {
                (!text.is_empty()).then(|| Self::checked(text))
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
    /// A partner platform.
    TenantId = "tenant";
    /// An API key.
    ApiKeyId = "key";
    /// An identity provider.
    IdentityProviderId = "idp";
    /// Someone a tenant vouches for.
    UserId = "user";
    /// One installation of a user: 128 random bits.
    DeviceId = "device";
    /// The joining of a device, two minutes long.
    LinkingId = "linking";
    /// A contact link.
    LinkId = "link";
    /// A conversation of two users.
    ChatId = "chat";
    /// A message, chosen by its sender.
    MessageId = "msg";
    /// One ciphertext for one device.
    EnvelopeId = "env";
    /// What one user reported of another.
    ReportId = "report";
    /// A version of a price.
    PriceId = "price";
    /// A price that is not published.
    PriceDraftId = "pricedraft";
    /// Payers with prices of their own.
    PayerGroupId = "payergroup";
    /// Access that is charged for again and again.
    SubscriptionId = "subscription";
    /// Money given back.
    RefundId = "refund";
    /// A user's money in one currency.
    WalletId = "wallet";
    /// Permission to write in a chat.
    PassId = "pass";
    /// One payment for access.
    ChargeId = "charge";
    /// A ledger transaction.
    TransactionId = "txn";
    /// Money that a recipient was paid.
    PayoutId = "payout";
    /// An operation at a tenant's own wallet.
    ExternalOperationId = "extop";
    /// The comparison of one day with a tenant's own wallet.
    ReconciliationId = "recon";
}
