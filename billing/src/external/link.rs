//! One node's link to one tenant's provider: the channel, the secret, how many calls at once, and the
//! breaker. What comes of a call is what the provider said, or silence: whatever else happened says
//! nothing about what the provider did.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pb::wallet_provider_client::WalletProviderClient;
use plasma_proto::billing::v1 as pb;
use tokio::sync::Semaphore;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Uri};
use tonic::{Request, Response, Status};
use tower::service_fn;

use super::breaker::Breaker;
use super::connector;
use super::policy::WalletPolicy;
use crate::store::external::providers::Provider;

/// The longest answer that is read. A page of 200 operations is a fifth of it.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
const HEADER_BYTES_MAX: u32 = 16 * 1024;

/// No answer: nobody here knows whether the provider did anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Silence {
    /// What was heard instead, for the log.
    pub(crate) cause: String,
    /// How long the provider is left alone.
    pub(crate) retry_after: Option<Duration>,
}

/// A link to one provider.
pub(crate) struct Link {
    pub(crate) provider: Provider,
    client: WalletProviderClient<Channel>,
    authorization: MetadataValue<Ascii>,
    turns: Semaphore,
    breaker: Mutex<Breaker>,
    policy: WalletPolicy,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Link({})", self.provider.url)
    }
}

impl Link {
    /// Makes a link, without connecting yet. The error is in words for a person.
    pub(crate) fn new(provider: Provider, policy: WalletPolicy) -> Result<Self, String> {
        let words = |error: tonic::transport::Error| error.to_string();
        let mut endpoint = Endpoint::from_shared(provider.url.clone())
            .map_err(words)?
            .connect_timeout(policy.connect_timeout)
            .http2_max_header_list_size(HEADER_BYTES_MAX)
            .user_agent("plasma")
            .map_err(words)?;
        if provider.url.starts_with("https://") {
            endpoint =
                endpoint.tls_config(ClientTlsConfig::new().with_native_roots()).map_err(words)?;
        }
        let loopback = policy.loopback;
        let channel = endpoint.connect_with_connector_lazy(service_fn(move |uri: Uri| {
            connector::connect(uri, loopback)
        }));
        let bearer = zeroize::Zeroizing::new(format!("Bearer {}", provider.secret.as_str()));
        let mut authorization: MetadataValue<Ascii> =
            bearer.parse().map_err(|_| "the secret is no header value".to_owned())?;
        authorization.set_sensitive(true);
        let turns = usize::try_from(provider.concurrency_max).unwrap_or(1).max(1);
        Ok(Self {
            provider,
            client: WalletProviderClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX),
            authorization,
            turns: Semaphore::new(turns),
            breaker: Mutex::new(Breaker::new(
                policy.breaker_failures,
                policy.breaker_wait,
                policy.breaker_wait_max,
            )),
            policy,
        })
    }

    /// How long calls are kept back; `None` where the next is made.
    pub(crate) fn kept_back(&self) -> Option<Duration> {
        self.breaker().kept_back(Instant::now())
    }

    pub(crate) async fn reserve(
        &self,
        request: pb::ReserveRequest,
    ) -> Result<pb::ReserveResponse, Silence> {
        self.call(request, async |mut client, request| client.reserve(request).await).await
    }

    pub(crate) async fn capture(
        &self,
        request: pb::CaptureRequest,
    ) -> Result<pb::CaptureResponse, Silence> {
        self.call(request, async |mut client, request| client.capture(request).await).await
    }

    pub(crate) async fn release(
        &self,
        request: pb::ReleaseRequest,
    ) -> Result<pb::ReleaseResponse, Silence> {
        self.call(request, async |mut client, request| client.release(request).await).await
    }

    pub(crate) async fn refund(
        &self,
        request: pb::RefundRequest,
    ) -> Result<pb::RefundResponse, Silence> {
        self.call(request, async |mut client, request| client.refund(request).await).await
    }

    pub(crate) async fn get_operation(
        &self,
        request: pb::GetOperationRequest,
    ) -> Result<pb::GetOperationResponse, Silence> {
        self.call(request, async |mut client, request| client.get_operation(request).await).await
    }

    pub(crate) async fn list_operations(
        &self,
        request: pb::ListOperationsRequest,
    ) -> Result<pb::ListOperationsResponse, Silence> {
        self.call(request, async |mut client, request| client.list_operations(request).await).await
    }

    pub(crate) async fn get_balance(
        &self,
        request: pb::GetBalanceRequest,
    ) -> Result<pb::GetBalanceResponse, Silence> {
        self.call(request, async |mut client, request| client.get_balance(request).await).await
    }

    /// Makes one call in its turn, within its time, and remembers how it went.
    async fn call<Q, A, F>(
        &self,
        message: Q,
        call: impl FnOnce(WalletProviderClient<Channel>, Request<Q>) -> F,
    ) -> Result<A, Silence>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let admitted = self.breaker().admit(Instant::now());
        admitted.map_err(|wait| Silence {
            cause: "the provider is left alone after failures".to_owned(),
            retry_after: Some(wait),
        })?;
        let turn = tokio::time::timeout(self.policy.turn_timeout, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            return Err(Silence {
                cause: "as many calls are under way as may be".to_owned(),
                retry_after: Some(self.policy.turn_timeout),
            });
        };
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.authorization.clone());
        request.set_timeout(self.policy.call_timeout);
        let answer =
            tokio::time::timeout(self.policy.call_timeout, call(self.client.clone(), request));
        let answer = answer.await.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer")));
        match answer {
            Ok(answer) => {
                self.breaker().succeeded();
                Ok(answer.into_inner())
            }
            Err(status) => {
                self.breaker().failed(Instant::now());
                let cause = format!("{:?}: {}", status.code(), status.message());
                Err(Silence { cause, retry_after: self.kept_back() })
            }
        }
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
