//! Makes the [`Actor`]: reads the credential, verifies it, and checks that the method allows this
//! kind of principal. No actor, no handler.

use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response, header};
use plasma_kit::{Actor, Failure};
use plasma_messaging::sessions::Sessions;
use plasma_proto::Principal;
use plasma_tenant::Tenants;
use sha2::{Digest, Sha256};
use tonic::Status;
use tonic::body::Body;
use tonic::transport::server::TcpConnectInfo;
use tower::{Layer, Service};
use tracing::Instrument;

use super::admission::Admission;

/// The paths of the contract begin so; health, reflection and the landing page do not.
const CONTRACT: &str = "/plasma.";

/// How long a call without a credential may take, its sending included.
const ANYONE_MAX: Duration = Duration::from_secs(10);

/// What is called for every message.
const FREQUENT: [&str; 2] =
    ["/plasma.messaging.v1.MessageService/Send", "/plasma.messaging.v1.MessageService/Acknowledge"];

/// Verifies credentials.
#[derive(Clone)]
pub struct Authenticator {
    operator_key_hash: [u8; 32],
    tenants: Tenants,
    sessions: Sessions,
    admission: Arc<Admission>,
}

impl Authenticator {
    /// An authenticator for the operator's key and what the contexts know.
    pub fn new(
        operator_key: &str,
        tenants: Tenants,
        sessions: Sessions,
        admission: Admission,
    ) -> Self {
        let operator_key_hash = Sha256::digest(operator_key).into();
        Self { operator_key_hash, tenants, sessions, admission: Arc::new(admission) }
    }

    async fn actor(&self, headers: &HeaderMap, allowed: &[Principal]) -> Result<Actor, Failure> {
        if allowed.contains(&Principal::Anyone) {
            return Ok(Actor::Anyone);
        }
        let credential = credential(headers)?;
        let actor = if credential.starts_with("op_") {
            // Hashes are compared, so that the time taken tells nothing of the key.
            let given: [u8; 32] = Sha256::digest(credential).into();
            if given != self.operator_key_hash {
                return Err(Failure::unauthenticated());
            }
            Actor::Operator
        } else if credential.starts_with("sk_") {
            Actor::Key(self.tenants.authenticate_key(credential).await?)
        } else {
            self.sessions.authenticate(credential).await?
        };
        if actor.is_any_of(allowed) { Ok(actor) } else { Err(Failure::principal_not_allowed()) }
    }
}

/// Where a call comes from: behind a proxy, the proxy.
fn remote_address<B>(request: &Request<B>) -> Option<IpAddr> {
    let connection = request.extensions().get::<TcpConnectInfo>()?;
    connection.remote_addr().map(|address| address.ip())
}

/// The span of a call. Those of messages cost more than the checks of their calls, so that they are
/// made only where somebody asked for them: by the filter, or by naming a collector.
fn span(path: &'static str) -> tracing::Span {
    macro_rules! span {
        ($level:ident) => {
            tracing::$level!(
                "rpc",
                otel.name = path,
                otel.kind = "server",
                rpc.system = "grpc",
                tenant = tracing::field::Empty,
            )
        };
    }
    if FREQUENT.contains(&path) { span!(debug_span) } else { span!(info_span) }
}

/// The one bearer credential of a request.
fn credential(headers: &HeaderMap) -> Result<&str, Failure> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Failure::unauthenticated());
    };
    let text = value.to_str().map_err(|_| Failure::unauthenticated())?;
    let (scheme, credential) = text.split_once(' ').ok_or_else(Failure::unauthenticated)?;
    if scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty() {
        Ok(credential)
    } else {
        Err(Failure::unauthenticated())
    }
}

/// Puts the actor into every request of the contract.
#[derive(Clone)]
pub struct AuthLayer(pub Arc<Authenticator>);

impl<S> Layer<S> for AuthLayer {
    type Service = Auth<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Auth { inner, authenticator: Arc::clone(&self.0) }
    }
}

/// See [`AuthLayer`].
#[derive(Clone)]
pub struct Auth<S> {
    inner: S,
    authenticator: Arc<Authenticator>,
}

impl<S, B> Service<Request<B>> for Auth<S>
where
    S: Service<Request<B>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The clone that was polled ready is the one to call.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let path = request.uri().path();
        if !path.starts_with(CONTRACT) {
            return Box::pin(inner.call(request));
        }
        let Some(method) = plasma_proto::method(path) else {
            return Box::pin(inner.call(request));
        };
        let authenticator = Arc::clone(&self.authenticator);
        let span = span(method.path);
        let work = async move {
            let actor = authenticator.actor(request.headers(), method.principals).await;
            let from = remote_address(&request);
            let admitted = actor.and_then(|actor| {
                Ok((authenticator.admission.admit(&actor, method.path, from)?, actor))
            });
            match admitted {
                Ok((_until_answered, actor)) => {
                    if let Some(tenant) = actor.tenant() {
                        tracing::Span::current().record("tenant", tracing::field::display(tenant));
                    }
                    request.extensions_mut().insert(actor);
                    let answer = inner.call(request);
                    if !matches!(actor, Actor::Anyone) {
                        return answer.await;
                    }
                    // Nobody without a credential holds a place for long.
                    let answer = tokio::time::timeout(ANYONE_MAX, answer).await;
                    answer.unwrap_or_else(|_| Ok(Status::from(Failure::deadline()).into_http()))
                }
                Err(failure) => Ok(Status::from(failure).into_http()),
            }
        };
        Box::pin(work.instrument(span))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};

    use super::{FREQUENT, credential};

    #[test]
    fn what_is_called_for_every_message_is_of_the_contract() {
        for path in FREQUENT {
            assert!(plasma_proto::method(path).is_some(), "{path}");
        }
    }

    #[test]
    fn there_is_one_bearer_credential_or_none() {
        let mut headers = HeaderMap::new();
        assert!(credential(&headers).is_err());
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic x"));
        assert!(credential(&headers).is_err());
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer x"));
        assert_eq!(credential(&headers).unwrap(), "x");
        headers.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer y"));
        assert!(credential(&headers).is_err());
    }
}
