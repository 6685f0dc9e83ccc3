//! A search through everything the service wrote, for what it must not know.

use anyhow::Result;
use plasma_testkit::Platform;
use plasma_testkit::scan::{self, Marker, Scan};
use plasma_testkit::secret;

use super::opening::Stage;
use crate::person::Person;
use crate::transcript::Transcript;

/// Searches database files, write-ahead logs and server logs.
pub async fn search(
    transcript: &mut Transcript,
    stage: &Stage,
    platforms: &[&Platform],
    people: &[&Person],
) -> Result<()> {
    transcript.chapter("What the service can read");
    let planted = format!("planted marker {}", secret::name());
    stage.plant(&planted)?;
    let control = run(stage, vec![Marker::text(&planted)]).await?;
    transcript.step(&format!(
        "a marker planted in the database: searching {} files, {:.1} MB",
        control.files,
        as_megabytes(control.bytes)
    ));
    let place = control.hits.first().and_then(|hit| hit.file.file_name());
    let place = place.map_or("nowhere".to_owned(), |name| name.to_string_lossy().into_owned());
    transcript.check(
        "the control: the search finds a planted marker",
        !control.hits.is_empty(),
        format!("found in {place}"),
    );

    let texts: Vec<Marker> = transcript.said().iter().map(|text| Marker::text(text)).collect();
    let count = texts.len();
    let found = run(stage, texts).await?;
    transcript.check(
        "no plaintext of any message is found",
        count > 0 && found.hits.is_empty(),
        format!(
            "{} hits of {count} messages in {} files{}",
            found.hits.len(),
            found.files,
            first(&found)
        ),
    );
    let mut secrets = Vec::new();
    for platform in platforms {
        secrets.extend([platform.admin_key(), platform.backend_key()].map(Marker::text));
    }
    secrets.extend(people.iter().map(|person| Marker::text(&person.partner_id)));
    let count = secrets.len();
    let found = run(stage, secrets).await?;
    transcript.check(
        "no API key and no platform’s id of a user is found",
        found.hits.is_empty(),
        format!("{} hits of {count} secrets{}", found.hits.len(), first(&found)),
    );
    Ok(())
}

async fn run(stage: &Stage, markers: Vec<Marker>) -> Result<Scan> {
    let folders = stage.cluster.folders()?;
    let search = move || -> Result<Scan> {
        let mut all = Scan::default();
        for folder in folders {
            let scan = scan::folder(&folder, &markers)?;
            all.hits.extend(scan.hits);
            all.files += scan.files;
            all.bytes += scan.bytes;
        }
        Ok(all)
    };
    tokio::task::spawn_blocking(search).await?
}

fn first(scan: &Scan) -> String {
    // Which marker it was would print the secret itself.
    let hit = scan.hits.first();
    hit.map_or(String::new(), |hit| format!(", first in {} as {}", hit.file.display(), hit.form))
}

fn as_megabytes(bytes: u64) -> f64 {
    let kilobytes = u32::try_from(bytes / 1_000).unwrap_or(u32::MAX);
    f64::from(kilobytes) / 1_000.0
}
