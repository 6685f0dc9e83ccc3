//! `Debug` is silent about secrets: every type that prints itself is either shown here, filled with
//! known secrets and compared with a snapshot, or is known to hold none.

mod sources;
mod specimens;

pub(crate) use self::specimens::{agreement_key, secret};

use core::fmt::{Debug, Write};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// How many bytes in a row give a secret away.
const WINDOW: usize = 4;

/// A value of a type that prints itself, and the secrets in it.
pub(crate) struct Specimen {
    name: &'static str,
    short: String,
    long: String,
    secrets: Vec<Vec<u8>>,
}

impl Specimen {
    /// Prints `value`, a `name`, which holds `secrets`.
    pub(crate) fn new(name: &'static str, value: &dyn Debug, secrets: &[&[u8]]) -> Self {
        let secrets = secrets.iter().map(|secret| secret.to_vec()).collect();
        Self { name, short: format!("{value:?}"), long: format!("{value:#?}"), secrets }
    }

    /// Finds a piece of a secret in what was printed, in any form that bytes are printed in.
    fn leak(&self) -> Option<String> {
        let printed: String = [&self.short, "\n", &self.long].concat();
        let printed: String = printed.split_whitespace().collect();
        let pieces = self.secrets.iter().flat_map(|secret| forms(secret));
        pieces.into_iter().find(|piece| printed.contains(piece))
    }
}

/// What pieces of a secret look like in hexadecimal, as lists and in base64, without blanks.
fn forms(secret: &[u8]) -> Vec<String> {
    let list = |bytes: &[u8], print: fn(u8) -> String, between: &str| {
        bytes.iter().map(|&byte| print(byte)).collect::<Vec<_>>().join(between)
    };
    let mut forms = Vec::new();
    for window in secret.windows(WINDOW) {
        forms.push(list(window, |byte| format!("{byte:02x}"), ""));
        forms.push(list(window, |byte| format!("{byte:02X}"), ""));
        forms.push(list(window, |byte| format!("{byte:02x}"), ","));
        forms.push(list(window, |byte| format!("{byte:x}"), ","));
        forms.push(list(window, |byte| format!("{byte:#04x}"), ","));
        forms.push(list(window, |byte| format!("{byte:02X}"), ","));
        forms.push(list(window, |byte| byte.to_string(), ","));
        forms.extend(str::from_utf8(window).map(str::to_owned));
    }
    for start in 0..3 {
        for engine in [&STANDARD, &URL_SAFE_NO_PAD] {
            forms.push(engine.encode(&secret[start..])[..8].to_owned());
        }
    }
    forms
}

#[test]
fn what_debug_prints_is_the_snapshot_and_holds_no_secret() {
    let mut text = String::new();
    for specimen in specimens::all() {
        let Specimen { name, short, long, secrets } = &specimen;
        assert!(!secrets.is_empty(), "{name} is listed without a secret");
        assert_eq!(specimen.leak(), None, "{name} prints a secret");
        writeln!(text, "{name}\n{short}\n{long}\n").unwrap();
    }
    insta::assert_snapshot!("debug", text);
}

#[test]
fn a_secret_is_found_in_every_form_that_it_is_printed_in() {
    let secret: Vec<u8> = (0xa0..0xc0).collect();
    let base64 = STANDARD.encode(&secret);
    let piece = format!("{:02x?}", &secret[7..11]);
    let values: [&dyn Debug; 4] = [&secret, &base64, &piece, &format!("{:032x}", 0xaaab_acad_u128)];
    for value in values {
        assert!(Specimen::new("", value, &[&secret]).leak().is_some(), "{value:?}");
    }
    assert_eq!(Specimen::new("", &"Secret(..)", &[&secret]).leak(), None);
}
