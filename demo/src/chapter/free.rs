//! On the free platform nobody needs a wallet.

use anyhow::{Context, Result};
use plasma_proto::billing::v1::GetStatementRequest;
use plasma_proto::billing::v1::statement_service_client::StatementServiceClient;

use super::opening::Stage;
use super::platforms::Platforms;
use crate::figure;
use crate::person::Person;
use crate::transcript::Transcript;

/// Tells a chat at the bank; returns the one who opened it.
pub async fn without_wallet(
    transcript: &mut Transcript,
    stage: &Stage,
    platforms: &Platforms,
) -> Result<Person> {
    transcript.chapter("The free platform");
    let (bank, folder) = (&platforms.bank, stage.devices.path());
    let mut dora = Person::arrive("Dora", bank, &stage.endpoint(0), folder).await?;
    let mut emil = Person::arrive("Emil", bank, &stage.endpoint(1), folder).await?;
    let link = emil.phone().device.create_link().await?;
    let (resolved, opened) = dora.open(&link).await?;
    transcript.step(&format!("Dora opens a chat with Emil: {}", figure::quote(&resolved.quote)));
    dora.online().await?;
    emil.online().await?;
    let ask = transcript.saying("Is the vault report ready?");
    dora.say(opened.chat.id, &ask).await?;
    emil.phone().shows(opened.chat.id, &ask).await?;
    let reply = transcript.saying("In an hour");
    emil.say(opened.chat.id, &reply).await?;
    dora.phone().shows(opened.chat.id, &reply).await?;
    transcript.step(&format!("Dora: {ask}"));
    transcript.step(&format!("Emil: {reply}"));
    let wallet = bank.wallet(&dora.user_id, "EUR").await?;
    let request =
        GetStatementRequest { currency_code: "EUR".to_owned(), start_time: None, end_time: None };
    let mut client = StatementServiceClient::new(stage.cluster.node(0).channel()?);
    let statement = client.get_statement(bank.admin(request)?).await?.into_inner();
    let pass = opened.pass.context("a pass")?;
    transcript.check(
        "on the free platform a chat needs no wallet and no posting",
        figure::price_of(&resolved.quote) == 0
            && pass.charge_id.is_empty()
            && wallet.wallet_id.is_empty()
            && statement.lines.is_empty(),
        format!(
            "{}; no wallet; {} lines in the statement",
            figure::quote(&resolved.quote),
            statement.lines.len()
        ),
    );
    Ok(dora)
}
