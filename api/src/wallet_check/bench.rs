//! What the checks share: the calls in short, and the user's money before and after.

use std::time::Duration;

use anyhow::{Context, Result};
use pb::wallet_provider_client::WalletProviderClient;
use pb::{capture_response, refund_response, release_response, reserve_response};
use plasma_kit::Env;
use plasma_kit::convert;
use plasma_kit::ids::ExternalOperationId;
use plasma_proto::billing::v1 as pb;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::Verdict;

/// The money that the checks need.
pub(super) const MONEY_MIN: i64 = 100;
/// What most checks set aside.
pub(super) const AMOUNT: i64 = 7;
/// How long one check may take.
const CHECK_MAX: Duration = Duration::from_secs(30);

/// A call that was not answered with an outcome, in words.
pub(super) type Said<T> = std::result::Result<T, String>;

/// A wallet and a user of it.
pub(super) struct Bench {
    pub(super) client: WalletProviderClient<Channel>,
    authorization: MetadataValue<Ascii>,
    pub(super) user: String,
    pub(super) currency: String,
    pub(super) env: Env,
}

impl Bench {
    pub(super) fn new(channel: Channel, token: &str, user: &str, currency: &str) -> Result<Self> {
        let authorization = format!("Bearer {token}").parse().context("the token is no token")?;
        Ok(Self {
            client: WalletProviderClient::new(channel),
            authorization,
            user: user.to_owned(),
            currency: currency.to_owned(),
            env: Env::system(),
        })
    }

    /// Waits for a check, and not for ever.
    pub(super) async fn judge(&self, check: impl Future<Output = Verdict>) -> Verdict {
        let verdict = tokio::time::timeout(CHECK_MAX, check).await;
        verdict.unwrap_or_else(|_| Err("it did not answer in time".to_owned()))
    }

    /// An operation id that was never used.
    pub(super) fn id(&self) -> String {
        ExternalOperationId(self.env.uuid()).to_string()
    }

    #[expect(clippy::unnecessary_wraps, reason = "what the fields of a request take")]
    pub(super) fn amount(&self, minor_units: i64) -> Option<pb::Amount> {
        Some(pb::Amount { currency_code: self.currency.clone(), minor_units })
    }

    pub(super) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.authorization.clone());
        request
    }

    pub(super) fn reserve_request(&self, id: &str, minor_units: i64) -> pb::ReserveRequest {
        pb::ReserveRequest {
            operation_id: id.to_owned(),
            partner_user_id: self.user.clone(),
            amount: self.amount(minor_units),
            reference: "wallet-check".to_owned(),
            // The same for the same id: an equal body is a promise of the contract.
            hold_until_time: Some(prost_types::Timestamp { seconds: 4_000_000_000, nanos: 0 }),
        }
    }

    pub(super) async fn reserve(&self, id: &str, units: i64) -> Said<reserve_response::Outcome> {
        self.reserve_by(self.reserve_request(id, units)).await
    }

    pub(super) async fn reserve_by(
        &self,
        request: pb::ReserveRequest,
    ) -> Said<reserve_response::Outcome> {
        let answer = self.client.clone().reserve(self.request(request)).await;
        outcome("Reserve", answer.map(|answer| answer.into_inner().outcome))
    }

    pub(super) async fn capture(&self, id: &str, units: i64) -> Said<capture_response::Outcome> {
        let request =
            pb::CaptureRequest { operation_id: id.to_owned(), amount: self.amount(units) };
        let answer = self.client.clone().capture(self.request(request)).await;
        outcome("Capture", answer.map(|answer| answer.into_inner().outcome))
    }

    pub(super) async fn release(&self, id: &str) -> Said<release_response::Outcome> {
        let request = pb::ReleaseRequest { operation_id: id.to_owned() };
        let answer = self.client.clone().release(self.request(request)).await;
        outcome("Release", answer.map(|answer| answer.into_inner().outcome))
    }

    pub(super) async fn refund(
        &self,
        id: &str,
        reserve: &str,
        units: i64,
    ) -> Said<refund_response::Outcome> {
        let request = pb::RefundRequest {
            operation_id: id.to_owned(),
            reserve_operation_id: reserve.to_owned(),
            amount: self.amount(units),
            reference: "wallet-check".to_owned(),
        };
        let answer = self.client.clone().refund(self.request(request)).await;
        outcome("Refund", answer.map(|answer| answer.into_inner().outcome))
    }

    pub(super) async fn operation(&self, id: &str) -> Said<pb::get_operation_response::Answer> {
        let request = pb::GetOperationRequest { operation_id: id.to_owned() };
        let answer = self.client.clone().get_operation(self.request(request)).await;
        outcome("GetOperation", answer.map(|answer| answer.into_inner().answer))
    }

    /// The user's money: all of it, and what can be spent.
    pub(super) async fn money(&self) -> Said<(i64, i64)> {
        let request = pb::GetBalanceRequest {
            partner_user_id: self.user.clone(),
            currency_code: self.currency.clone(),
        };
        let answer = self.client.clone().get_balance(self.request(request)).await;
        let answer = answer.map_err(|status| unanswered("GetBalance", &status))?.into_inner();
        match (answer.balance, answer.available) {
            (Some(balance), Some(available)) => Ok((balance.minor_units, available.minor_units)),
            _ => Err("GetBalance answered without an amount".to_owned()),
        }
    }

    pub(super) async fn available(&self) -> Said<i64> {
        Ok(self.money().await?.1)
    }

    /// Checks how the user's money has moved since.
    pub(super) async fn moved(&self, since: (i64, i64), balance: i64, available: i64) -> Verdict {
        let now = self.money().await?;
        let moved = (now.0 - since.0, now.1 - since.1);
        if moved == (balance, available) {
            return Ok(());
        }
        Err(format!(
            "the balance moved by {} and what can be spent by {}, instead of {balance} and {available}",
            moved.0, moved.1
        ))
    }

    /// Sets money aside that the user has.
    pub(super) async fn reserved(&self, units: i64) -> Said<String> {
        let id = self.id();
        accepted_reserve(&self.reserve(&id, units).await?)?;
        Ok(id)
    }

    /// Sets money aside and takes it.
    pub(super) async fn captured(&self, units: i64) -> Said<String> {
        let id = self.reserved(units).await?;
        accepted_capture(&self.capture(&id, units).await?)?;
        Ok(id)
    }

    /// Frees what a check set aside.
    pub(super) async fn free(&self, id: &str) -> Verdict {
        match self.release(id).await? {
            release_response::Outcome::Accepted(_) => Ok(()),
            release_response::Outcome::Declined(declined) => {
                Err(format!("the release was declined: {:?}", declined.reason()))
            }
        }
    }

    /// Gives back what a check took.
    pub(super) async fn give_back(&self, reserve: &str, units: i64) -> Verdict {
        accepted_refund(&self.refund(&self.id(), reserve, units).await?).map(drop)
    }

    /// A moment as the contract writes it, `seconds` from now.
    #[expect(clippy::unnecessary_wraps, reason = "what the fields of a request take")]
    pub(super) fn moment(&self, seconds: i64) -> Option<prost_types::Timestamp> {
        let mut moment = convert::timestamp(self.env.now());
        moment.seconds += seconds;
        Some(moment)
    }
}

fn outcome<T>(call: &str, answer: Result<Option<T>, Status>) -> Said<T> {
    match answer {
        Ok(Some(outcome)) => Ok(outcome),
        Ok(None) => Err(format!("{call} answered without an outcome")),
        Err(status) => Err(unanswered(call, &status)),
    }
}

fn unanswered(call: &str, status: &Status) -> String {
    let (code, message) = (status.code(), status.message());
    format!("{call} ended with the status {code:?} ({message}) instead of an outcome")
}

/// Makes an unexpected outcome a finding.
pub(super) fn instead<T>(call: &str, outcome: &impl std::fmt::Debug) -> Said<T> {
    let outcome: String = format!("{outcome:?}").chars().take(160).collect();
    Err(format!("{call} was answered with {outcome}"))
}

/// The operation of an accepted reserve.
pub(super) fn accepted_reserve(outcome: &reserve_response::Outcome) -> Said<pb::WalletOperation> {
    match outcome {
        reserve_response::Outcome::Accepted(accepted) => held(accepted),
        other => instead("Reserve", other),
    }
}

/// The operation of an accepted capture.
pub(super) fn accepted_capture(outcome: &capture_response::Outcome) -> Said<pb::WalletOperation> {
    match outcome {
        capture_response::Outcome::Accepted(accepted) => held(accepted),
        other => instead("Capture", other),
    }
}

/// The operation of an accepted refund.
pub(super) fn accepted_refund(outcome: &refund_response::Outcome) -> Said<pb::WalletOperation> {
    match outcome {
        refund_response::Outcome::Accepted(accepted) => held(accepted),
        other => instead("Refund", other),
    }
}

fn held(accepted: &pb::WalletAccepted) -> Said<pb::WalletOperation> {
    accepted.operation.clone().ok_or_else(|| "accepted without the operation".to_owned())
}
