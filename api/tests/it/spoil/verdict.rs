//! What must come of a value that the field rules allow and that only the field's meaning can
//! judge.

use prost_reflect::{FieldDescriptor, Value};
use tonic::Code;

use plasma_proto::error::v1::ErrorReason;

use super::Expect;
use crate::fixtures::Call;
use crate::place::Place;

/// A text that means nothing to us and much to a database: quotes, a comment, wildcards.
///
/// Where it is a name, it is stored as it stands; where it is looked for, it is not found; where a
/// form is required, the field is named.
pub(super) fn of_text(place: &Place) -> Expect {
    let field = || Expect::Field(place.path());
    match short_name(place.field()).as_str() {
        "CreateApiKeyRequest.label"
        | "CreateTenantRequest.display_name"
        | "UpdateTenantRequest.display_name"
        | "CreateIdentityProviderRequest.issuer"
        | "CreateIdentityProviderRequest.audience"
        | "CreatePriceDraftRequest.note"
        | "UpdatePriceDraftRequest.note"
        | "CreatePayerGroupRequest.display_name"
        | "CreditWalletRequest.reference"
        | "DebitWalletRequest.reference"
        | "RecordPayoutRequest.reference"
        | "RefundChargeRequest.reference"
        | "CreateReportRequest.comment"
        // What is wrong with a token is the answer.
        | "ValidateTokenRequest.token" => Expect::Accepted,
        "ExchangeTokenRequest.platform_token" => {
            Expect::Refused(Code::Unauthenticated, ErrorReason::PlatformTokenInvalid)
        }
        "LookupUserRequest.partner_user_id" => {
            Expect::Refused(Code::NotFound, ErrorReason::NotFound)
        }
        // A secret is visible ASCII, and the foreign text has spaces.
        "SetWalletProviderRequest.url"
        | "SetWalletProviderRequest.bearer_secret"
        | "CreateTenantRequest.link_base_url"
        | "UpdateTenantRequest.link_base_url"
        | "CreateTenantRequest.time_zone"
        | "UpdateTenantRequest.time_zone"
        | "CreateIdentityProviderRequest.jwks_json"
        | "OpenChatRequest.link_token"
        | "ResolveLinkRequest.link_token"
        | "Amount.currency_code"
        | "ExportCsvRequest.currency_code"
        | "GetRevenueRequest.currency_code"
        | "GetStatementRequest.currency_code"
        | "GetWalletRequest.currency_code"
        | "ListEarningsRequest.currency_code"
        | "ListTransactionsRequest.currency_code"
        | "ListWalletEntriesRequest.currency_code" => field(),
        other if other.ends_with(".request_id") => Expect::Accepted,
        other if other.ends_with(".page_token") => field(),
        other => panic!("{other}: say what must come of a foreign text in this field"),
    }
}

/// A text without meaning that is as long as it may be.
pub(super) fn of_longest(place: &Place) -> Expect {
    match short_name(place.field()).as_str() {
        // Any visible ASCII is a secret.
        "SetWalletProviderRequest.bearer_secret" => Expect::Accepted,
        _ => of_text(place),
    }
}

/// A field that may be empty, left empty.
pub(super) fn of_empty(place: &Place, call: &Call) -> Expect {
    let refused = |reason| Expect::Refused(Code::FailedPrecondition, reason);
    match short_name(place.field()).as_str() {
        // What the scope needs is there in the fixture, and nothing else.
        "PriceTarget.recipient_user_id"
        | "PriceTarget.payer_group_id"
        | "PriceTarget.payer_user_id" => {
            let empty = Value::String(String::new());
            if place.get(&call.message) == empty {
                Expect::Accepted
            } else {
                Expect::Field(place.path())
            }
        }
        "AcceptedPrice.price_id" | "AcceptedPrice.amount" => refused(ErrorReason::PriceChanged),
        // The page is one of another list then.
        "ListEarningsRequest.currency_code" | "ListPayoutsRequest.recipient_user_id" => {
            Expect::Field(place.sibling_path("page_token"))
        }
        // A device means its own user; a key has none.
        "GetWalletRequest.user_id" | "ListWalletEntriesRequest.user_id" => {
            let is_key = call.credential.as_ref().is_some_and(|text| text.starts_with("sk_"));
            if is_key { Expect::Field(place.path()) } else { Expect::Accepted }
        }
        // Without a chat the envelope is for another device of the calling user.
        "SendControlRequest.chat_id" => {
            let chat = call.message.get_field_by_name("chat_id");
            if chat.is_some_and(|chat| chat.as_str() == Some("")) {
                Expect::Accepted
            } else {
                Expect::Refused(Code::NotFound, ErrorReason::NotFound)
            }
        }
        // A wallet's file needs to know whose. What the service's mark on a delivered envelope
        // covers, and the mark.
        "ExportCsvRequest.user_id"
        | "Envelope.chat_id"
        | "Envelope.message_id"
        | "Envelope.sender"
        | "Envelope.accept_time"
        | "Envelope.franking_tag"
        // The mask names the field.
        | "UpdateTenantRequest.display_name"
        | "UpdateTenantRequest.policy"
        // The caller has no device.
        | "StartGenerationRequest.new_device" => Expect::Field(place.path()),
        "Envelope.ciphertext" => Expect::Field(place.sibling_path("franking_tag")),
        _ => Expect::Accepted,
    }
}

/// What becomes of bytes: which refusal where they are noise, cut short, or changed in one bit.
pub(super) struct OfBytes {
    pub(super) noise: Expect,
    pub(super) cut: Expect,
    pub(super) flipped: Expect,
}

pub(super) fn of_bytes(place: &Place) -> OfBytes {
    let field = || Expect::Field(place.path());
    let identity = || Expect::Refused(Code::FailedPrecondition, ErrorReason::IdentityRefused);
    let nobody = || Expect::Refused(Code::Unauthenticated, ErrorReason::Unauthenticated);
    match short_name(place.field()).as_str() {
        // A point of the curve or nothing.
        "RegisterFirstDeviceRequest.root_public_key" | "ResetAccountRequest.root_public_key" => {
            OfBytes { noise: field(), cut: field(), flipped: field() }
        }
        "RegisterFirstDeviceRequest.certificate"
        | "RegisterFirstDeviceRequest.manifest"
        | "AddDeviceRequest.certificate"
        | "AddDeviceRequest.manifest"
        | "RevokeDeviceRequest.manifest"
        | "RenewManifestRequest.manifest"
        | "StartGenerationRequest.manifest"
        | "RecoveredDevice.certificate"
        | "ResetAccountRequest.certificate"
        | "ResetAccountRequest.manifest"
        | "SetRecoveryKitRequest.recovery_kit"
        | "DevicePrekeys.signed_prekey"
        | "DevicePrekeys.last_resort_kem_prekey"
        | "PublishPrekeysRequest.signed_prekey"
        | "PublishPrekeysRequest.last_resort_kem_prekey"
        | "PublishPrekeysRequest.one_time_prekeys"
        | "PublishPrekeysRequest.one_time_kem_prekeys" => {
            OfBytes { noise: field(), cut: field(), flipped: identity() }
        }
        "CreateSessionRequest.challenge" => {
            OfBytes { noise: nobody(), cut: nobody(), flipped: nobody() }
        }
        "CreateSessionRequest.signature" => {
            OfBytes { noise: nobody(), cut: field(), flipped: nobody() }
        }
        // Opaque to the service; what is disclosed, only who reads the report can judge.
        "DeviceEnvelope.ciphertext"
        | "PostLinkingMessageRequest.ciphertext"
        | "DisclosedMessage.disclosure" => {
            OfBytes { noise: Expect::Accepted, cut: Expect::Accepted, flipped: Expect::Accepted }
        }
        // The mark, or what it covers, is not what the service made.
        "Envelope.franking_tag" => OfBytes { noise: field(), cut: field(), flipped: field() },
        "Envelope.ciphertext" => {
            let tag = || Expect::Field(place.sibling_path("franking_tag"));
            OfBytes { noise: tag(), cut: tag(), flipped: tag() }
        }
        // Another device set than the one in force is an outcome of the response.
        "SendRequest.peer_manifest_hash"
        | "SendRequest.own_manifest_hash"
        | "SendOwnRequest.own_manifest_hash" => {
            OfBytes { noise: Expect::Accepted, cut: field(), flipped: Expect::Accepted }
        }
        other => panic!("{other}: say what must come of noise in this field"),
    }
}

/// A number that the rules allow, at their edge.
pub(super) fn of_edge(place: &Place, number: i64) -> Expect {
    match (short_name(place.field()).as_str(), number) {
        // The rule cannot say "more than 0" for a balance's sake.
        ("Amount.minor_units", 0) => Expect::Field(place.path()),
        // A price accepted that is not the one in force.
        ("Amount.minor_units", _) if place.path().starts_with("accepted_price") => {
            Expect::Refused(Code::FailedPrecondition, ErrorReason::PriceChanged)
        }
        ("Amount.minor_units", _) => match place.request_name().as_str() {
            "CreditWalletRequest" => {
                Expect::Refused(Code::ResourceExhausted, ErrorReason::LimitReached)
            }
            "RefundChargeRequest" => {
                Expect::Refused(Code::FailedPrecondition, ErrorReason::RefundExceedsCharge)
            }
            "DebitWalletRequest" => {
                Expect::Refused(Code::FailedPrecondition, ErrorReason::InsufficientFunds)
            }
            "RecordPayoutRequest" => {
                Expect::Refused(Code::FailedPrecondition, ErrorReason::PayoutExceedsEarnings)
            }
            _ => Expect::Accepted,
        },
        // The new device leaves message 2 alone.
        ("PostLinkingMessageRequest.number", _) => {
            Expect::Refused(Code::FailedPrecondition, ErrorReason::LinkingNotOpen)
        }
        // The two add up to 10,000, and the other one is as it was.
        ("Shares.recipient_basis_points" | "Shares.platform_basis_points", _) => {
            Expect::Field("definition.shares".to_owned())
        }
        _ => Expect::Accepted,
    }
}

/// An item of a list given twice, where the rules do not forbid it.
pub(super) fn of_repeated(place: &Place, count: usize) -> Expect {
    match short_name(place.field()).as_str() {
        "SendRequest.peer_envelopes" | "SendRequest.own_envelopes" | "SendOwnRequest.envelopes" => {
            Expect::Field(format!("{}[{count}].device_id", place.path()))
        }
        // The same message disclosed twice proves the same twice.
        "AcknowledgeRequest.envelope_ids" | "CreateReportRequest.messages" => Expect::Accepted,
        other => panic!("{other}: say what must come of an item given twice"),
    }
}

/// The message and the field, without the package.
pub(super) fn short_name(field: &FieldDescriptor) -> String {
    format!("{}.{}", field.parent_message().name(), field.name())
}
