//! Padding: the length of a ciphertext tells no more than a bucket.

use crate::error::{DecryptError, EncryptError};

/// Longest content, in bytes, before padding.
pub const MAX_CONTENT_LENGTH: usize = 65_535;

const MARKER: u8 = 0x80;

/// Returns the padded length of `length` bytes of content.
///
/// Content and the marker byte are rounded up: to a multiple of 128 up to 1,024 bytes, of 512 up
/// to 8,192, and of 4,096 beyond.
pub fn padded_length(length: usize) -> usize {
    let unpadded = length.saturating_add(1);
    let step = match unpadded {
        0..=1024 => 128,
        1025..=8192 => 512,
        _ => 4096,
    };
    unpadded.next_multiple_of(step)
}

/// Appends content, marker and zeros to `out`.
pub fn pad(content: &[u8], out: &mut Vec<u8>) -> Result<(), EncryptError> {
    if content.len() > MAX_CONTENT_LENGTH {
        return Err(EncryptError::TooLong);
    }
    let end = out.len() + padded_length(content.len());
    out.extend_from_slice(content);
    out.push(MARKER);
    out.resize(end, 0);
    Ok(())
}

/// Returns the content of a padded body.
pub fn unpad(padded: &[u8]) -> Result<&[u8], DecryptError> {
    let end = padded.iter().rposition(|&byte| byte != 0).ok_or(DecryptError::BadPadding)?;
    if padded[end] != MARKER || padded.len() != padded_length(end) || end > MAX_CONTENT_LENGTH {
        return Err(DecryptError::BadPadding);
    }
    Ok(&padded[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_128_then_512_then_4096_bytes_apart() {
        let buckets = [
            (0, 128),
            (127, 128),
            (128, 256),
            (1023, 1024),
            (1024, 1536),
            (8191, 8192),
            (8192, 12_288),
            (MAX_CONTENT_LENGTH, 65_536),
        ];
        for (length, padded) in buckets {
            assert_eq!(padded_length(length), padded, "{length}");
            let mut out = vec![7];
            pad(&vec![0; length], &mut out).unwrap();
            assert_eq!(out.len(), padded + 1);
            assert_eq!(unpad(&out[1..]).unwrap(), vec![0; length]);
        }
        let too_long = vec![0; MAX_CONTENT_LENGTH + 1];
        assert_eq!(pad(&too_long, &mut Vec::new()), Err(EncryptError::TooLong));
    }

    #[test]
    fn a_body_that_is_not_padded_exactly_is_refused() {
        let mut body = vec![1, MARKER];
        body.resize(256, 0);
        for bad in [&body[..], &body[..127], &[0; 128], &[1; 128], &[]] {
            assert_eq!(unpad(bad), Err(DecryptError::BadPadding));
        }
        assert_eq!(unpad(&body[..128]), Ok(&[1][..]));
    }
}
