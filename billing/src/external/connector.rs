//! Connects to a provider: resolves its name, and connects to an address that was checked. There is
//! one resolution, so that what is checked is what is connected to.

use std::io;

use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tonic::transport::Uri;

use super::address;

/// Opens a connection to a provider, of which TLS is made afterwards.
pub(crate) async fn connect(uri: Uri, loopback: bool) -> io::Result<TokioIo<TcpStream>> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
    let refused = || io::Error::new(io::ErrorKind::PermissionDenied, "the address is not public");
    let mut last = refused();
    for found in lookup_host((host.as_str(), port)).await? {
        if !address::may_connect(found.ip(), loopback) {
            continue;
        }
        match TcpStream::connect(found).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(TokioIo::new(stream));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::connect;

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_connected_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // Names are resolved here; the check is of where they lead.
        for host in ["localhost", "127.0.0.1", "2130706433", "[::ffff:127.0.0.1]"] {
            let uri = format!("https://{host}:{port}").parse().unwrap();
            let error = connect(uri, false).await.unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{host}");
        }
        let uri = format!("http://localhost:{port}").parse().unwrap();
        connect(uri, true).await.unwrap();
    }
}
