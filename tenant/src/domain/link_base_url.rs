//! Where a tenant's contact links point.

use url::{Host, Url};

/// A checked link base: `https://…`, or `http://…` on a loopback host, in its normal form, without
/// user, query, fragment or trailing slash; or empty, for the service's own landing page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkBaseUrl(String);

/// Why a text is no link base.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkBaseUrlError {
    /// It cannot be read as a URL.
    #[error("must be a URL: {0}")]
    NotAUrl(url::ParseError),
    /// Its scheme is another than `https`, or `http` off the loopback.
    #[error("must begin with https://, or with http:// on a loopback host")]
    Scheme,
    /// It names a user, a query or a fragment.
    #[error("must not have a user, a query or a fragment")]
    Extra,
    /// It ends with a slash.
    #[error("must not end with a slash")]
    TrailingSlash,
    /// It is written otherwise than its normal form.
    #[error("must be in its normal form, which is {0}")]
    NotNormal(String),
}

impl LinkBaseUrl {
    /// Reads a link base.
    pub fn parse(text: &str) -> Result<Self, LinkBaseUrlError> {
        if text.is_empty() {
            return Ok(Self(String::new()));
        }
        let url = Url::parse(text).map_err(LinkBaseUrlError::NotAUrl)?;
        if !is_secure(&url) {
            return Err(LinkBaseUrlError::Scheme);
        }
        let has_user = !url.username().is_empty() || url.password().is_some();
        if has_user || url.query().is_some() || url.fragment().is_some() {
            return Err(LinkBaseUrlError::Extra);
        }
        if text.ends_with('/') {
            return Err(LinkBaseUrlError::TrailingSlash);
        }
        let normal = url.as_str().trim_end_matches('/');
        if normal != text {
            return Err(LinkBaseUrlError::NotNormal(normal.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text; empty for the service's own landing page.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_secure(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.has_host(),
        "http" => match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{LinkBaseUrl, LinkBaseUrlError};

    #[test]
    fn a_link_base_is_taken_as_it_is_written() {
        for text in [
            "",
            "https://clinic.example",
            "https://clinic.example:8443/chat/of",
            "https://xn--bcher-kva.example/c",
            "http://localhost:8080",
            "http://127.0.0.1:1/x",
            "http://127.9.9.9",
            "http://[::1]:8080",
            "https://192.0.2.7",
        ] {
            assert_eq!(LinkBaseUrl::parse(text).map(|url| url.0), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_is_no_link_base_is_refused_by_its_rule() {
        use LinkBaseUrlError::{Extra, NotAUrl, NotNormal, Scheme, TrailingSlash};
        type IsRule = fn(&LinkBaseUrlError) -> bool;
        let cases: &[(&str, IsRule)] = &[
            ("clinic.example", |error| matches!(error, NotAUrl(_))),
            ("https://", |error| matches!(error, NotAUrl(_))),
            ("https://a b", |error| matches!(error, NotAUrl(_))),
            ("http://clinic.example", |error| *error == Scheme),
            ("http://localhost.evil.example", |error| *error == Scheme),
            ("http://127.0.0.1.evil.example", |error| *error == Scheme),
            ("http://10.0.0.1", |error| *error == Scheme),
            ("http://[::ffff:127.0.0.1]", |error| *error == Scheme),
            ("ftp://clinic.example", |error| *error == Scheme),
            ("javascript:alert(1)", |error| *error == Scheme),
            ("data:text/html,x", |error| *error == Scheme),
            ("https://ann@clinic.example", |error| *error == Extra),
            ("https://ann:pw@clinic.example", |error| *error == Extra),
            ("https://clinic.example?a", |error| *error == Extra),
            ("https://clinic.example?", |error| *error == Extra),
            ("https://clinic.example#", |error| *error == Extra),
            ("https://clinic.example/", |error| *error == TrailingSlash),
            ("https://clinic.example/c/", |error| *error == TrailingSlash),
            ("https://Clinic.example", |error| matches!(error, NotNormal(_))),
            ("https://clinic.example:443", |error| matches!(error, NotNormal(_))),
            ("https://clinic.example/a/../b", |error| matches!(error, NotNormal(_))),
            ("https://@clinic.example", |error| matches!(error, NotNormal(_))),
            ("https:\\\\clinic.example", |error| matches!(error, NotNormal(_))),
            ("https://clinic.example\n", |error| matches!(error, NotNormal(_))),
            ("http://2130706433", |error| matches!(error, NotNormal(_))),
        ];
        for (text, is_rule) in cases {
            let error = LinkBaseUrl::parse(text).expect_err(text);
            assert!(is_rule(&error), "{text}: {error:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,60}", tail in ".{0,40}") {
            for text in [text.clone(), format!("https://{text}{tail}"), format!("http://localhost{tail}")] {
                if let Ok(url) = LinkBaseUrl::parse(&text) {
                    prop_assert_eq!(url.as_str(), &text);
                    prop_assert!(!text.ends_with('/') && !text.contains(['?', '#', '@', ' ']));
                }
            }
        }
    }
}
