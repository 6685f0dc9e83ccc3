//! What a provider's answers mean, without I/O. An answer that does not fit what was asked is a
//! contradiction, never a confirmation.

use pb::WalletOperationState as Theirs;
use plasma_proto::billing::v1 as pb;

use crate::domain::external::Operation;
use crate::wire;

/// What a provider said of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The whole amount is set aside.
    Reserved,
    /// So many minor units were taken.
    Captured(i64),
    /// Nothing of it will ever be taken.
    Released,
    /// The amount was given back.
    Refunded,
    /// It declines, for good.
    Declined { reason: i32, available: i64 },
    /// It has never seen the operation.
    NeverSeen,
    /// What it says cannot be the answer to what was asked.
    Contradiction(&'static str),
}

/// The answer to a reserve.
pub(crate) fn of_reserve(asked: &Operation, answer: pb::ReserveResponse) -> Heard {
    use pb::reserve_response::Outcome;
    match answer.outcome {
        Some(Outcome::Accepted(accepted)) => of_operation(asked, accepted.operation),
        Some(Outcome::Declined(declined)) => of_declined(&declined),
        Some(Outcome::Duplicate(_)) => Heard::Contradiction("the id has another body"),
        None => Heard::Contradiction("there is no outcome"),
    }
}

/// The answer to a capture of the whole.
pub(crate) fn of_capture(asked: &Operation, answer: pb::CaptureResponse) -> Heard {
    use pb::capture_response::Outcome;
    match answer.outcome {
        Some(Outcome::Accepted(accepted)) => captured(asked, accepted.operation),
        // Captured before, with another amount; or the reserve holds less, and nothing is taken.
        Some(Outcome::Duplicate(duplicate)) => match captured(asked, duplicate.operation) {
            Heard::Captured(units) => Heard::Captured(units),
            _ => Heard::Declined { reason: pb::DeclineReason::Other.into(), available: 0 },
        },
        Some(Outcome::Declined(declined)) => of_declined(&declined),
        Some(Outcome::UnknownOperation(_)) => Heard::NeverSeen,
        None => Heard::Contradiction("there is no outcome"),
    }
}

/// The answer to a release.
pub(crate) fn of_release(answer: pb::ReleaseResponse) -> Heard {
    use pb::release_response::Outcome;
    match answer.outcome {
        Some(Outcome::Accepted(_)) => Heard::Released,
        Some(Outcome::Declined(declined)) => of_declined(&declined),
        None => Heard::Contradiction("there is no outcome"),
    }
}

/// The answer to a refund.
pub(crate) fn of_refund(answer: pb::RefundResponse) -> Heard {
    use pb::refund_response::Outcome;
    match answer.outcome {
        Some(Outcome::Accepted(_)) => Heard::Refunded,
        Some(Outcome::Declined(declined)) => of_declined(&declined),
        Some(Outcome::Duplicate(_)) => Heard::Contradiction("the id has another body"),
        Some(Outcome::UnknownOperation(_)) => Heard::NeverSeen,
        None => Heard::Contradiction("there is no outcome"),
    }
}

/// The answer to the question what became of an operation.
pub(crate) fn of_question(asked: &Operation, answer: pb::GetOperationResponse) -> Heard {
    use pb::get_operation_response::Answer;
    match answer.answer {
        Some(Answer::Operation(operation)) => of_operation(asked, Some(operation)),
        Some(Answer::UnknownOperation(_)) => Heard::NeverSeen,
        None => Heard::Contradiction("there is no answer"),
    }
}

fn of_operation(asked: &Operation, operation: Option<pb::WalletOperation>) -> Heard {
    let Some(operation) = operation else {
        return Heard::Contradiction("there is no operation");
    };
    if operation.operation_id != asked.id.to_string() {
        return Heard::Contradiction("it is another operation");
    }
    match operation.state() {
        // A tombstone knows no amount.
        Theirs::Released => Heard::Released,
        Theirs::Declined => {
            Heard::Declined { reason: pb::DeclineReason::Other.into(), available: 0 }
        }
        Theirs::Captured => Heard::Captured(operation.captured_minor_units),
        _ if operation.amount != Some(wire::money(asked.money)) => {
            Heard::Contradiction("the amount is another")
        }
        Theirs::Reserved => Heard::Reserved,
        Theirs::Refunded => Heard::Refunded,
        Theirs::Unspecified => Heard::Contradiction("its state is unknown"),
    }
}

fn captured(asked: &Operation, operation: Option<pb::WalletOperation>) -> Heard {
    match of_operation(asked, operation) {
        Heard::Captured(units) if units >= 0 => Heard::Captured(units),
        _ => Heard::Contradiction("a capture was accepted that is none"),
    }
}

fn of_declined(declined: &pb::WalletDeclined) -> Heard {
    Heard::Declined { reason: declined.reason, available: declined.available_minor_units.max(0) }
}

#[cfg(test)]
mod tests {
    use plasma_kit::Timestamp;
    use plasma_kit::ids::{ExternalOperationId, UserId};
    use plasma_proto::billing::v1 as pb;
    use uuid::Uuid;

    use super::{Heard, of_capture, of_question, of_reserve};
    use crate::domain::external::{Kind, Operation, State};
    use crate::domain::money::{Currency, Money};

    fn asked() -> Operation {
        Operation {
            id: ExternalOperationId(Uuid::from_u128(1)),
            kind: Kind::Reserve,
            user: UserId(Uuid::from_u128(2)),
            money: Money::new(Currency::parse("EUR").unwrap(), 500).unwrap(),
            obligation: String::new(),
            attempt: 1,
            state: State::Sent,
            captured: 0,
            decline_reason: 0,
            available: 0,
            reserve: None,
            bought: None,
            failed_attempts: 0,
            hold_until: Timestamp(0),
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            closed_at: None,
        }
    }

    fn theirs(state: pb::WalletOperationState, minor_units: i64) -> pb::WalletOperation {
        pb::WalletOperation {
            operation_id: asked().id.to_string(),
            state: state.into(),
            amount: Some(pb::Amount { currency_code: "EUR".to_owned(), minor_units }),
            captured_minor_units: minor_units,
            ..pb::WalletOperation::default()
        }
    }

    fn reserve(operation: Option<pb::WalletOperation>) -> Heard {
        let accepted = pb::WalletAccepted { operation };
        let outcome = Some(pb::reserve_response::Outcome::Accepted(accepted));
        of_reserve(&asked(), pb::ReserveResponse { outcome })
    }

    #[test]
    fn only_the_right_amount_of_the_right_operation_is_a_reserve() {
        use pb::WalletOperationState::{Captured, Released, Reserved, Unspecified};
        assert_eq!(reserve(Some(theirs(Reserved, 500))), Heard::Reserved);
        let contradictions = [
            None,
            Some(theirs(Reserved, 501)),
            Some(theirs(Unspecified, 500)),
            Some(pb::WalletOperation { amount: None, ..theirs(Reserved, 500) }),
            Some(pb::WalletOperation { operation_id: String::new(), ..theirs(Reserved, 500) }),
        ];
        for operation in contradictions {
            let heard = reserve(operation.clone());
            assert!(matches!(heard, Heard::Contradiction(_)), "{operation:?}: {heard:?}");
        }
        assert_eq!(reserve(Some(theirs(Released, 500))), Heard::Released);
        assert_eq!(reserve(Some(theirs(Captured, 500))), Heard::Captured(500));
        let nothing = of_reserve(&asked(), pb::ReserveResponse { outcome: None });
        assert!(matches!(nothing, Heard::Contradiction(_)));
    }

    #[test]
    fn a_capture_is_what_was_taken_and_an_empty_answer_is_none() {
        use pb::WalletOperationState::{Captured, Reserved};
        let accepted = |operation| {
            let accepted = pb::WalletAccepted { operation };
            let outcome = Some(pb::capture_response::Outcome::Accepted(accepted));
            of_capture(&asked(), pb::CaptureResponse { outcome })
        };
        assert_eq!(accepted(Some(theirs(Captured, 500))), Heard::Captured(500));
        assert_eq!(accepted(Some(theirs(Captured, 7))), Heard::Captured(7));
        for operation in [None, Some(theirs(Reserved, 500))] {
            assert!(matches!(accepted(operation), Heard::Contradiction(_)));
        }
        let duplicate = |operation| {
            let outcome =
                pb::capture_response::Outcome::Duplicate(pb::WalletDuplicate { operation });
            of_capture(&asked(), pb::CaptureResponse { outcome: Some(outcome) })
        };
        assert_eq!(duplicate(Some(theirs(Captured, 7))), Heard::Captured(7));
        assert!(matches!(duplicate(Some(theirs(Reserved, 7))), Heard::Declined { .. }));
        let empty = of_question(&asked(), pb::GetOperationResponse { answer: None });
        assert!(matches!(empty, Heard::Contradiction(_)));
    }
}
