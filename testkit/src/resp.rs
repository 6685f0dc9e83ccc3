//! As much of the Redis protocol (RESP2, <https://redis.io/docs/latest/develop/reference/protocol-spec/>)
//! as an observer needs: one connection, one command, one answer.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// Most bytes of one answer; INFO has a few thousand.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// The address in a URL such as `redis://127.0.0.1:6379`.
pub fn address(url: &str) -> Result<SocketAddr> {
    let rest = url.strip_prefix("redis://").with_context(|| format!("a redis:// URL: {url}"))?;
    let host = rest.split('/').next().unwrap_or_default();
    host.parse().with_context(|| format!("an address and a port: {host}"))
}

/// Sends one command and reads its answer, which must be a line or a bulk string.
pub fn call(address: SocketAddr, command: &[&str], timeout: Duration) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, timeout).context("connect to Redis")?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    stream.write_all(&encode(command)).context("write to Redis")?;
    read_answer(&mut BufReader::new(stream))
}

fn encode(command: &[&str]) -> Vec<u8> {
    let words = command.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", command.len(), words.collect::<String>()).into_bytes()
}

fn read_answer(reader: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line).context("read from Redis")?;
    let (kind, rest) =
        line.trim_end().split_at_checked(1).context("Redis closed the connection")?;
    match kind {
        "+" | ":" => Ok(rest.to_owned()),
        "-" => bail!("Redis refused: {rest}"),
        "$" => {
            let length: usize = rest.parse().context("the length of an answer")?;
            ensure!(length <= ANSWER_BYTES_MAX, "an answer of {length} bytes");
            let mut body = vec![0; length];
            reader.read_exact(&mut body).context("read from Redis")?;
            Ok(String::from_utf8(body)?)
        }
        other => bail!("an answer that starts with {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{address, encode, read_answer};

    #[test]
    fn a_command_is_an_array_of_bulk_strings() {
        assert_eq!(encode(&["INFO", "all"]), b"*2\r\n$4\r\nINFO\r\n$3\r\nall\r\n");
    }

    #[test]
    fn answers_are_lines_bulk_strings_or_refusals() {
        assert_eq!(read_answer(&mut &b"+PONG\r\n"[..]).unwrap(), "PONG");
        assert_eq!(read_answer(&mut &b"$5\r\na\r\nbc\r\n"[..]).unwrap(), "a\r\nbc");
        assert!(read_answer(&mut &b"-ERR no\r\n"[..]).unwrap_err().to_string().contains("ERR no"));
        assert!(read_answer(&mut &b""[..]).is_err());
        assert!(read_answer(&mut &b"$9\r\nshort"[..]).is_err());
    }

    #[test]
    fn a_url_names_an_address() {
        assert_eq!(address("redis://127.0.0.1:77/0").unwrap(), ([127, 0, 0, 1], 77).into());
        assert!(address("http://127.0.0.1:77").is_err());
    }
}
