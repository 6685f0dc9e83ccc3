//! Searches the files under a folder for bytes that must not be there: database files,
//! write-ahead logs, server logs. A text is looked for as it is, in UTF-16 and in base64.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem;

/// What to look for.
#[derive(Debug, Clone)]
pub struct Marker {
    name: String,
    forms: Vec<(&'static str, Vec<u8>)>,
}

impl Marker {
    /// Bytes, as they are and in base64.
    pub fn bytes(name: &str, bytes: &[u8]) -> Self {
        let mut forms = vec![("raw", bytes.to_vec())];
        forms.extend(base64_forms(bytes));
        Self { name: name.to_owned(), forms }
    }

    /// A text: its bytes, UTF-16 of either byte order, base64.
    pub fn text(text: &str) -> Self {
        let mut marker = Self::bytes(text, text.as_bytes());
        let units: Vec<u16> = text.encode_utf16().collect();
        let little = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        marker.forms.extend([("utf-16le", little), ("utf-16be", big)]);
        marker
    }
}

/// A place where a marker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The file.
    pub file: PathBuf,
    /// Where in the file it begins, in bytes.
    pub offset: usize,
    /// The marker's name: the text itself for a text.
    pub marker: String,
    /// In which form it was found.
    pub form: &'static str,
}

/// What a search saw.
#[derive(Debug, Default)]
pub struct Scan {
    /// The first place of each form of each marker in each file.
    pub hits: Vec<Hit>,
    /// How many files were read.
    pub files: usize,
    /// How many bytes were read.
    pub bytes: u64,
}

/// Searches every file under `folder`. A file that vanishes meanwhile is passed over; one that
/// cannot be read fails the search.
pub fn folder(folder: &Path, markers: &[Marker]) -> Result<Scan> {
    ensure!(folder.is_dir(), "{} is no folder", folder.display());
    let mut scan = Scan::default();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| folder.display().to_string()),
        };
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                file(&entry.path(), markers, &mut scan)?;
            }
        }
    }
    Ok(scan)
}

fn file(path: &Path, markers: &[Marker], scan: &mut Scan) -> Result<()> {
    let content = match std::fs::read(path) {
        Ok(content) => content,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    scan.files += 1;
    scan.bytes += u64::try_from(content.len()).unwrap_or(u64::MAX);
    for marker in markers {
        for (form, bytes) in &marker.forms {
            if let Some(offset) = memmem::find(&content, bytes) {
                let marker = marker.name.clone();
                scan.hits.push(Hit { file: path.to_owned(), offset, marker, form });
            }
        }
    }
    Ok(())
}

/// The characters that stand for the bytes wherever they begin in a longer base64 text, in both
/// alphabets: the characters that also depend on neighbours are cut off.
fn base64_forms(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut forms = Vec::new();
    for lead in 0..3 {
        let mut padded = vec![0; lead];
        padded.extend(bytes);
        let skip = [0, 2, 3][lead];
        let whole = padded.len() / 3 * 4 + [0, 1, 2][padded.len() % 3];
        for text in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            let form = text.as_bytes()[skip..whole.max(skip)].to_vec();
            // Shorter ones would be found by chance.
            if form.len() >= 6 && !forms.iter().any(|(_, seen)| *seen == form) {
                forms.push(("base64", form));
            }
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::{Marker, folder};

    const SECRET: &str = "the quick brown fox?>~";

    fn forms_found(content: &[u8]) -> Vec<&'static str> {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("deep")).unwrap();
        std::fs::write(place.path().join("deep/file"), content).unwrap();
        let scan = folder(place.path(), &[Marker::text(SECRET)]).unwrap();
        assert_eq!((scan.files, scan.bytes), (1, content.len() as u64));
        scan.hits.iter().map(|hit| hit.form).collect()
    }

    #[test]
    fn a_text_is_found_as_it_is_and_in_utf_16() {
        assert_eq!(forms_found(format!("before {SECRET} after").as_bytes()), ["raw"]);
        let wide: Vec<u8> = SECRET.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(forms_found(&wide), ["utf-16le"]);
        assert_eq!(forms_found(b"the quick brown cat"), [""; 0]);
    }

    #[test]
    fn a_text_is_found_in_base64_at_every_alignment() {
        for lead in 0..6 {
            for trail in 0..4 {
                let text = format!("{}{SECRET}{}", "x".repeat(lead), "y".repeat(trail));
                assert_eq!(forms_found(STANDARD.encode(text).as_bytes()), ["base64"], "{lead}");
            }
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_and_not_a_clean_scan() {
        let place = tempfile::tempdir().unwrap();
        assert!(folder(&place.path().join("absent"), &[Marker::text(SECRET)]).is_err());
    }
}
