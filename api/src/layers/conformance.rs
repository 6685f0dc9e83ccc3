//! Holds every answer to the contract's closed set of errors, in headers and in trailers: each
//! carries an `ErrorInfo`, and what the transport made by itself is given the contract's form.

use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use plasma_kit::Failure;
use plasma_kit::status::ErrorReason;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

/// Applies to the contract's services; health and reflection keep their own errors.
const CONTRACT: &str = "/plasma.";

/// See the module.
#[derive(Clone, Copy, Default)]
pub struct ConformanceLayer;

impl<S> Layer<S> for ConformanceLayer {
    type Service = Conformance<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Conformance { inner }
    }
}

/// See [`ConformanceLayer`].
#[derive(Clone)]
pub struct Conformance<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for Conformance<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // An error of readiness comes again from the call, where it can be answered.
        self.inner.poll_ready(context).map(|_| Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let applies = request.uri().path().starts_with(CONTRACT);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = match answer.await {
                Ok(response) => response,
                Err(error) => {
                    return Ok(conform(&Status::from_error(error.into())).into_http());
                }
            };
            Ok(if applies { conform_response(response) } else { response })
        })
    }
}

fn conform_response(mut response: Response<Body>) -> Response<Body> {
    conform_headers(response.headers_mut());
    response.map(|body| {
        Body::new(body.map_frame(|frame| match frame.into_trailers() {
            Ok(mut trailers) => {
                conform_headers(&mut trailers);
                http_body::Frame::trailers(trailers)
            }
            Err(frame) => frame,
        }))
    })
}

fn conform_headers(headers: &mut HeaderMap) {
    let Some(status) = Status::from_header_map(headers) else {
        return;
    };
    if status.code() == Code::Ok || carries_reason(&status) {
        return;
    }
    let conformed = conform(&status);
    for name in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
        headers.remove(name);
    }
    if conformed.add_header(headers).is_err() {
        tracing::error!("a status does not fit into headers");
    }
}

fn carries_reason(status: &Status) -> bool {
    plasma_proto::error_info::reason_of(status).is_some_and(|reason| {
        if reason == ErrorReason::Internal {
            tracing::error!(code = ?status.code(), "a call failed by a defect of the service");
        }
        true
    })
}

/// Gives the contract's form to a status that the transport made.
fn conform(status: &Status) -> Status {
    let text = status.message().to_owned();
    let failure = match status.code() {
        // tonic's answer to a message above its limit.
        Code::OutOfRange | Code::ResourceExhausted => Failure::new(
            Code::ResourceExhausted,
            ErrorReason::RequestTooLarge,
            "the request is larger than 4 MiB",
        )
        .retry_after(Duration::from_mins(1)),
        Code::Unimplemented => Failure::new(
            Code::Unimplemented,
            ErrorReason::Unimplemented,
            "the server does not have this method",
        ),
        // tonic's answer to its own timeout.
        Code::DeadlineExceeded => Failure::deadline(),
        Code::Cancelled if text.to_lowercase().contains("timeout") => Failure::deadline(),
        Code::Cancelled => {
            Failure::new(Code::Cancelled, ErrorReason::Cancelled, "the call was cancelled")
        }
        Code::InvalidArgument => {
            Failure::new(Code::InvalidArgument, ErrorReason::MalformedRequest, text)
        }
        Code::Unavailable => Failure::unavailable(),
        Code::Internal if is_malformed(&text) => Failure::new(
            Code::InvalidArgument,
            ErrorReason::MalformedRequest,
            "the request is not one gRPC message",
        ),
        code => {
            tracing::error!(?code, text, "a status outside the contract");
            Failure::internal()
        }
    };
    failure.into()
}

/// What tonic's own decoder says of a broken frame or a missing message.
fn is_malformed(text: &str) -> bool {
    ["compression flag", "Missing request message", "Unexpected EOF", "protocol error"]
        .iter()
        .any(|known| text.contains(known))
}

#[cfg(test)]
mod tests {
    use plasma_kit::Failure;
    use plasma_kit::status::ErrorReason;
    use plasma_proto::error_info::reason_of;
    use tonic::{Code, Status};

    use super::{conform, conform_headers};

    #[test]
    fn what_the_transport_says_gets_a_reason() {
        let cases = [
            (Status::out_of_range("x"), Code::ResourceExhausted, ErrorReason::RequestTooLarge),
            (
                Status::cancelled("Timeout expired"),
                Code::DeadlineExceeded,
                ErrorReason::DeadlineExceeded,
            ),
            (Status::unimplemented(""), Code::Unimplemented, ErrorReason::Unimplemented),
            (
                Status::internal("Missing request message."),
                Code::InvalidArgument,
                ErrorReason::MalformedRequest,
            ),
            (Status::unknown("x"), Code::Internal, ErrorReason::Internal),
        ];
        for (status, code, reason) in cases {
            let conformed = conform(&status);
            assert_eq!(conformed.code(), code, "{status:?}");
            assert_eq!(reason_of(&conformed), Some(reason), "{status:?}");
        }
    }

    #[test]
    fn a_status_with_a_reason_passes_untouched() {
        let mut headers = http::HeaderMap::new();
        Status::from(Failure::not_found("chat")).add_header(&mut headers).unwrap();
        let before = headers.clone();
        conform_headers(&mut headers);
        assert_eq!(headers, before);
    }
}
