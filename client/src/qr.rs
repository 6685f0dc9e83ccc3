//! QR codes of what devices show each other: contact links, linking codes, recovery keys, safety
//! numbers.

use qrcode::QrCode;
use qrcode::render::{svg, unicode};

/// The text is longer than a QR code holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is longer than a QR code holds")]
pub struct TooLongForQr;

/// Renders a text as a QR code in SVG.
pub fn svg(text: &str) -> Result<String, TooLongForQr> {
    Ok(encode(text)?.render::<svg::Color<'_>>().min_dimensions(240, 240).build())
}

/// Renders a text as a QR code for a terminal with a dark background, two modules a character.
pub fn terminal(text: &str) -> Result<String, TooLongForQr> {
    let code = encode(text)?;
    let mut image = code.render::<unicode::Dense1x2>();
    image.dark_color(unicode::Dense1x2::Light).light_color(unicode::Dense1x2::Dark);
    Ok(image.build())
}

fn encode(text: &str) -> Result<QrCode, TooLongForQr> {
    QrCode::with_error_correction_level(text, qrcode::EcLevel::L).map_err(|_| TooLongForQr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_an_image_and_one_without_end_does_not() {
        assert!(svg("plasma-link:1:abc").unwrap().contains("<svg"));
        assert!(terminal("plasma-link:1:abc").unwrap().lines().count() > 10);
        assert_eq!(svg(&"x".repeat(3_000)), Err(TooLongForQr));
    }
}
