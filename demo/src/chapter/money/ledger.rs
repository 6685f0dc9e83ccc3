//! The ledger is verified, a payer checks the proof of a charge, and a row that was tampered with is
//! found.

use std::process::Output;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use plasma_client::{CheckpointKey, check_charge_proof};
use plasma_proto::billing::v1::ledger_service_client::LedgerServiceClient;
use plasma_proto::billing::v1::{GetChargeProofRequest, GetChargeProofResponse};
use plasma_proto::error::v1::ErrorReason;
use rusqlite::Connection;

use super::shop::Shop;
use crate::chapter::opening::Stage;
use crate::figure;
use crate::person::{SOON, tenant_of};
use crate::transcript::Transcript;

const LOOK: std::time::Duration = std::time::Duration::from_millis(100);

/// Tells all of it.
pub async fn verified(transcript: &mut Transcript, stage: &Stage, shop: &Shop) -> Result<()> {
    transcript.chapter("The ledger is verified");
    proved(transcript, stage, shop).await?;
    let folder = stage.cluster.node(0).data_dir();
    let output = stage.cluster.node_config().data_dir(folder).run(&["ledger", "verify"])?;
    transcript.step("`plasma ledger verify`, beside the running service");
    transcript.block(&String::from_utf8_lossy(&output.stdout));
    transcript.check(
        "`plasma ledger verify` recomputes every book and finds nothing wrong",
        output.status.success(),
        last_line(&output),
    );
    if stage.cluster.database_url().is_none() {
        tampered(transcript, stage)?;
    }
    Ok(())
}

/// The keys that the operator publishes; asked for apart from any proof.
fn published_keys(stage: &Stage) -> Result<Vec<CheckpointKey>> {
    let folder = stage.cluster.node(0).data_dir();
    let output = stage.cluster.node_config().data_dir(folder).run(&["ledger", "keys"])?;
    let text = String::from_utf8(output.stdout)?;
    text.lines().map(|line| read_key(line.split_whitespace().last().unwrap_or_default())).collect()
}

fn read_key(hexadecimal: &str) -> Result<CheckpointKey> {
    let digits: Vec<char> = hexadecimal.chars().collect();
    let byte = |pair: &[char]| u8::from_str_radix(&String::from_iter(pair), 16);
    let bytes = digits.chunks(2).map(byte).collect::<Result<Vec<u8>, _>>()?;
    Ok(CheckpointKey::from_bytes(&bytes)?)
}

async fn proved(transcript: &mut Transcript, stage: &Stage, shop: &Shop) -> Result<()> {
    let keys = published_keys(stage)?;
    let charge = shop.charges().await?.into_iter().next().context("a charge")?;
    let answer = proof(shop, &charge.charge_id).await?;
    let checked = check_charge_proof(&answer, &charge.charge_id, &keys);
    let tenant = tenant_of(&shop.platform)?;
    let user = shop.payer.user().user;
    let own = checked.as_ref().is_ok_and(|proved| {
        proved.postings.len() == 1
            && proved.postings.iter().all(|posting| {
                posting.is_on_wallet_of(tenant, user)
                    && posting.minor_units == -charge.amount_minor_units
            })
    });
    transcript.step(&format!("Gil’s phone asks for a proof of {}", figure::id(&charge.charge_id)));
    transcript.check(
        "the payer’s phone verifies the charge against the operator’s key, and sees its own alone",
        own,
        match &checked {
            Ok(_) => format!("entry {}, {} hashes to the root", answer.number, answer.path.len()),
            Err(error) => error.to_string(),
        },
    );
    let mut forged = answer.clone();
    let posting = forged.parts.iter_mut().rev().find(|part| !part.content.is_empty());
    let posting = posting.context("a part that is shown")?;
    let mut content = posting.content.to_vec();
    *content.last_mut().context("a byte")? ^= 1;
    posting.content = content.into();
    let refused = check_charge_proof(&forged, &charge.charge_id, &keys).err();
    transcript.check(
        "the control: the same proof with one bit changed is refused",
        refused.is_some(),
        refused.map_or("it was believed".to_owned(), |error| error.to_string()),
    );
    Ok(())
}

async fn proof(shop: &Shop, charge_id: &str) -> Result<GetChargeProofResponse> {
    let begun = Instant::now();
    loop {
        let request = GetChargeProofRequest { charge_id: charge_id.to_owned() };
        let answer = shop.payer.phone().device.call(request, |channel, request| async move {
            LedgerServiceClient::new(channel).get_charge_proof(request).await
        });
        match answer.await {
            Err(error) if error.reason() == Some(ErrorReason::ProofNotReady) => {
                ensure!(begun.elapsed() < SOON, "there is no proof after {SOON:?}");
                tokio::time::sleep(LOOK).await;
            }
            other => return Ok(other?),
        }
    }
}

/// Verifies a copy of the embedded database, as it is and with a cent moved.
fn tampered(transcript: &mut Transcript, stage: &Stage) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("plasma-copy-").tempdir()?;
    let copy = folder.path().join("plasma.db");
    let database = Connection::open(stage.sqlite_file())?;
    database.busy_timeout(SOON)?;
    database.execute("VACUUM INTO ?1", [copy.to_str().context("a path")?])?;
    let verify = || stage.cluster.node_config().data_dir(folder.path()).run(&["ledger", "verify"]);
    let whole = verify()?;
    let spoiler = Connection::open(&copy)?;
    // Whoever has the database can drop what refuses changes.
    spoiler.execute_batch("DROP TRIGGER ledger_postings_immutable_UPDATE")?;
    let changed = spoiler.execute(
        "UPDATE ledger_postings SET minor_units = minor_units + 1 WHERE rowid = \
         (SELECT rowid FROM ledger_postings ORDER BY created_at LIMIT 1)",
        [],
    )?;
    let report = verify()?;
    transcript.step("in a copy of the database one cent of one posting is changed");
    transcript.block(&findings(&report));
    transcript.check(
        "the control: in a copy that was tampered with the row is found",
        changed == 1 && whole.status.success() && !report.status.success(),
        format!("{} things do not fit", findings(&report).lines().count()),
    );
    Ok(())
}

fn findings(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter(|line| line.starts_with('✗')).collect::<Vec<_>>().join("\n")
}

/// The last thing that a program said, on whichever output it did.
fn last_line(output: &Output) -> String {
    let said = if output.status.success() { &output.stdout } else { &output.stderr };
    let text = String::from_utf8_lossy(said);
    text.lines().last().unwrap_or("nothing was said").to_owned()
}
