//! A payer of another platform, from that platform’s own wallet: what the two owe each other.

use anyhow::Result;
use plasma_proto::billing::v1::statement_service_client::StatementServiceClient;
use plasma_proto::billing::v1::{AccountPurpose, GetStatementRequest, StatementLine};
use plasma_testkit::Platform;
use tonic::transport::Channel;

use super::own_wallet::Kiosk;
use crate::chapter::opening::Stage;
use crate::chapter::people::Cast;
use crate::chapter::platforms::Platforms;
use crate::chapter::refusals::NEW_PRICE;
use crate::figure;
use crate::transcript::Transcript;

/// Tells Ina’s chat with Bob, and both platforms’ statements.
pub async fn between(
    transcript: &mut Transcript,
    stage: &Stage,
    platforms: &Platforms,
    kiosk: &Kiosk,
    cast: &Cast,
) -> Result<()> {
    transcript.chapter("What two platforms owe each other");
    let (ina, studio) = (&kiosk.people[0], &platforms.studio);
    let before = kiosk.wallet.book()?.taken_of(&ina.partner_id)?;
    let link = cast.bob.phone().device.create_link().await?;
    let (resolved, opened) = ina.open(&link).await?;
    transcript.step(&format!(
        "Ina of Kiosk Nord opens a chat with Bob of Studio Lumen: {}",
        figure::quote(&resolved.quote)
    ));
    let text = transcript.saying("Do you frame as well?");
    ina.say(opened.chat.id, &text).await?;
    kiosk.at_rest().await?;
    let paid = kiosk.wallet.book()?.taken_of(&ina.partner_id)? - before;
    transcript.check(
        "her own platform’s wallet pays for a chat on another platform",
        paid == NEW_PRICE,
        figure::money("EUR", paid),
    );
    let channel = stage.cluster.node(0).channel()?;
    let owing = settlement(&kiosk.platform, studio, channel.clone()).await?;
    let owed = settlement(studio, &kiosk.platform, channel).await?;
    for (name, lines) in [("Kiosk Nord’s statement", &owing), ("Studio Lumen’s", &owed)] {
        for line in lines {
            let purpose = line.purpose().as_str_name().trim_start_matches("ACCOUNT_PURPOSE_");
            let closing = figure::money("EUR", line.closing_minor_units);
            transcript.detail(name, format!("{} {closing}", purpose.to_lowercase()));
        }
    }
    let balance = |lines: &[StatementLine]| -> i64 {
        lines.iter().map(|line| line.closing_minor_units).sum()
    };
    let purposes = |lines: &[StatementLine]| -> Vec<AccountPurpose> {
        lines.iter().map(StatementLine::purpose).collect()
    };
    transcript.check(
        "the settlement is equal and opposite on the two statements",
        balance(&owing) + balance(&owed) == 0
            && balance(&owing).abs() == NEW_PRICE
            && purposes(&owing) == [AccountPurpose::DueTo]
            && purposes(&owed) == [AccountPurpose::DueFrom],
        format!(
            "{} and {}",
            figure::money("EUR", balance(&owing)),
            figure::money("EUR", balance(&owed))
        ),
    );
    Ok(())
}

/// The lines of a platform’s statement that are of another platform.
async fn settlement(
    of: &Platform,
    with: &Platform,
    channel: Channel,
) -> Result<Vec<StatementLine>> {
    let request =
        GetStatementRequest { currency_code: "EUR".to_owned(), start_time: None, end_time: None };
    let mut client = StatementServiceClient::new(channel);
    let mut lines = client.get_statement(of.admin(request)?).await?.into_inner().lines;
    lines.retain(|line| line.peer_tenant_id == with.tenant_id());
    Ok(lines)
}
