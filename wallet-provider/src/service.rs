//! Serves a book as `plasma.billing.v1.WalletProvider`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pb::wallet_provider_server::{WalletProvider, WalletProviderServer};
use plasma_proto::billing::v1 as pb;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::book::Book;
use crate::faults::{Fault, Faults};
use crate::flaws::Flaw;

/// How long two equal calls of someone who races itself overlap.
const RACE: Duration = Duration::from_millis(30);

/// A wallet that is served.
#[derive(Debug, Clone)]
pub struct Wallet {
    book: Book,
    faults: Faults,
    /// What `authorization` must be.
    authorization: Arc<str>,
    under_way: Arc<Mutex<HashMap<String, u32>>>,
}

impl Wallet {
    /// Serves a book to whoever has the secret.
    pub fn new(book: Book, faults: Faults, secret: &str) -> Self {
        let authorization = format!("Bearer {secret}").into();
        Self { book, faults, authorization, under_way: Arc::default() }
    }

    /// The gRPC service.
    pub fn service(self) -> WalletProviderServer<Self> {
        WalletProviderServer::new(self)
    }

    /// Serves until the future is dropped.
    pub async fn serve(
        self,
        listener: tokio::net::TcpListener,
    ) -> Result<(), tonic::transport::Error> {
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        tonic::transport::Server::builder()
            .add_service(self.service())
            .serve_with_incoming(incoming)
            .await
    }

    /// Takes the request of a caller who has the secret.
    fn admit<T>(&self, request: Request<T>) -> Result<T, Status> {
        let given =
            request.metadata().get("authorization").map(tonic::metadata::MetadataValue::as_bytes);
        // The lengths differ, or every byte is looked at: how long it takes tells nothing.
        let right = given.is_some_and(|given| {
            let expected = self.authorization.as_bytes();
            given.len() == expected.len()
                && given.iter().zip(expected).fold(0, |odd, (one, other)| odd | (one ^ other)) == 0
        });
        if right || self.book.flaw() == Some(Flaw::OpenToAll) {
            Ok(request.into_inner())
        } else {
            Err(Status::unauthenticated("the secret is wrong"))
        }
    }

    fn under_way(&self) -> std::sync::MutexGuard<'_, HashMap<String, u32>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets money aside once more for each equal call that is under way, as a flaw does.
    async fn race(&self, id: &str) {
        let others = {
            let mut under_way = self.under_way();
            let count = under_way.entry(id.to_owned()).or_default();
            *count += 1;
            *count
        };
        tokio::time::sleep(RACE).await;
        if others > 1 {
            drop(self.book.double(id));
        }
        self.under_way().remove(id);
    }
}

/// A minor unit more than was asked for.
fn spoilt(amount: Option<&pb::Amount>) -> Option<pb::Amount> {
    amount.map(|amount| pb::Amount { minor_units: amount.minor_units + 1, ..amount.clone() })
}

#[expect(clippy::needless_pass_by_value, reason = "for use with map_err")]
fn failed(error: rusqlite::Error) -> Status {
    eprintln!("wallet-provider: {error}");
    Status::internal("the book failed")
}

#[tonic::async_trait]
impl WalletProvider for Wallet {
    async fn reserve(
        &self,
        request: Request<pb::ReserveRequest>,
    ) -> Result<Response<pb::ReserveResponse>, Status> {
        let mut request = self.admit(request)?;
        let (book, drawn) = (self.book.clone(), self.faults.draw());
        if drawn.0 == Some(Fault::WrongAmount) {
            request.amount = spoilt(request.amount.as_ref());
        }
        let id = request.operation_id.clone();
        let play = move || book.reserve(&request).map_err(failed);
        let answer = self.faults.play(drawn, play).await?;
        if self.book.flaw() == Some(Flaw::RacesItself) {
            self.race(&id).await;
        }
        Ok(Response::new(answer))
    }

    async fn capture(
        &self,
        request: Request<pb::CaptureRequest>,
    ) -> Result<Response<pb::CaptureResponse>, Status> {
        let mut request = self.admit(request)?;
        let (book, drawn) = (self.book.clone(), self.faults.draw());
        if drawn.0 == Some(Fault::WrongAmount)
            && let Some(amount) = &mut request.amount
        {
            // Less, which the reserve covers.
            amount.minor_units = (amount.minor_units - 1).max(1);
        }
        let play = move || {
            let unknown = book.flaw() == Some(Flaw::UnknownIsError);
            match book.capture(&request).map_err(failed)?.outcome {
                Some(pb::capture_response::Outcome::UnknownOperation(_)) if unknown => {
                    Err(Status::not_found("no such operation"))
                }
                outcome => Ok(pb::CaptureResponse { outcome }),
            }
        };
        Ok(Response::new(self.faults.play(drawn, play).await?))
    }

    async fn release(
        &self,
        request: Request<pb::ReleaseRequest>,
    ) -> Result<Response<pb::ReleaseResponse>, Status> {
        let request = self.admit(request)?;
        let (book, drawn) = (self.book.clone(), self.faults.draw());
        let play = move || book.release(&request).map_err(failed);
        Ok(Response::new(self.faults.play(drawn, play).await?))
    }

    async fn refund(
        &self,
        request: Request<pb::RefundRequest>,
    ) -> Result<Response<pb::RefundResponse>, Status> {
        let request = self.admit(request)?;
        let (book, drawn) = (self.book.clone(), self.faults.draw());
        let play = move || book.refund(&request).map_err(failed);
        Ok(Response::new(self.faults.play(drawn, play).await?))
    }

    async fn get_operation(
        &self,
        request: Request<pb::GetOperationRequest>,
    ) -> Result<Response<pb::GetOperationResponse>, Status> {
        let request = self.admit(request)?;
        let (book, drawn) = (self.book.clone(), self.faults.draw());
        let play = move || {
            let answer = book.operation(&request.operation_id).map_err(failed)?;
            let unknown = matches!(
                answer.answer,
                Some(pb::get_operation_response::Answer::UnknownOperation(_))
            );
            if unknown && book.flaw() == Some(Flaw::UnknownIsError) {
                return Err(Status::not_found("no such operation"));
            }
            Ok(answer)
        };
        Ok(Response::new(self.faults.play(drawn, play).await?))
    }

    async fn list_operations(
        &self,
        request: Request<pb::ListOperationsRequest>,
    ) -> Result<Response<pb::ListOperationsResponse>, Status> {
        let request = self.admit(request)?;
        Ok(Response::new(self.book.list(&request).map_err(failed)?))
    }

    async fn get_balance(
        &self,
        request: Request<pb::GetBalanceRequest>,
    ) -> Result<Response<pb::GetBalanceResponse>, Status> {
        let request = self.admit(request)?;
        let (balance, available) =
            self.book.balance(&request.partner_user_id, &request.currency_code).map_err(failed)?;
        let amount = |minor_units| {
            Some(pb::Amount { currency_code: request.currency_code.clone(), minor_units })
        };
        Ok(Response::new(pb::GetBalanceResponse {
            balance: amount(balance),
            available: amount(available),
        }))
    }
}
