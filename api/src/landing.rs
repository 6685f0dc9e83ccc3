//! The small HTTP surface: what a person sees who opens a contact link in a browser.
//!
//! The page holds nothing of the link's owner, sets nothing, loads nothing from elsewhere, and
//! never sees the fragment, which browsers keep to themselves. A QR code that the service renders
//! has no fragment either, and says that it is not verified.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use qrcode::QrCode;
use qrcode::render::svg;

const PAGE: &str = include_str!("landing.html");

/// The routes `/c/{token}` and `/c/{token}/qr.svg`.
pub fn routes(public_url: String) -> Router {
    Router::new()
        .route("/c/{token}", get(page))
        .route("/c/{token}/qr.svg", get(qr))
        .fallback(fallback)
        .with_state(public_url)
}

/// Whether the text can be the token of a link: 22 characters of base64url.
fn is_token(text: &str) -> bool {
    text.len() == 22
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

async fn page(Path(token): Path<String>) -> Response {
    if !is_token(&token) {
        return missing();
    }
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, PAGE.replace("{token}", &token)).into_response()
}

async fn qr(State(public_url): State<String>, Path(token): Path<String>) -> Response {
    if !is_token(&token) {
        return missing();
    }
    match QrCode::new(format!("{public_url}/c/{token}")) {
        Ok(code) => {
            let image = code.render::<svg::Color<'_>>().min_dimensions(240, 240).build();
            ([(header::CONTENT_TYPE, "image/svg+xml")], image).into_response()
        }
        Err(_) => missing(),
    }
}

/// A gRPC call of a method that is not there gets gRPC's answer, anything else HTTP's.
async fn fallback(headers: HeaderMap) -> Response {
    let is_grpc = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    if is_grpc {
        return tonic::Status::unimplemented("").into_http::<axum::body::Body>();
    }
    missing()
}

fn missing() -> Response {
    (StatusCode::NOT_FOUND, "There is nothing here.\n").into_response()
}

#[cfg(test)]
mod tests {
    use super::is_token;

    #[test]
    fn only_a_token_is_shown() {
        assert!(is_token("AAAAAAAAAAAAAAAAAAAA-_"));
        for text in ["", "short", "AAAAAAAAAAAAAAAAAAAA<>", &"A".repeat(23)] {
            assert!(!is_token(text), "{text}");
        }
    }
}
