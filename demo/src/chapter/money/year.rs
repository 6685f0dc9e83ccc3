//! A sandbox sells a month in a trial that converts, and its clock runs through a year.

use anyhow::{Context, Result};
use jiff::Zoned;
use jiff::civil::date;
use jiff::tz::TimeZone;
use plasma_proto::billing::v1::clock_service_client::ClockServiceClient;
use plasma_proto::billing::v1::{Charge, GetClockRequest, PassKind};
use plasma_testkit::{Onboarding, Platform};

use super::shop::{self, PRICE, RECIPIENT_SHARE, Shop, ZONE};
use crate::chapter::contact::available;
use crate::chapter::opening::Stage;
use crate::chapter::platforms::Platforms;
use crate::figure;
use crate::person::Person;
use crate::transcript::Transcript;

/// The operator's share of each charge, in basis points.
const OPERATOR_SHARE: u32 = 1_000;
/// How long the trial is: from 24 January to the 31st.
const TRIAL_DAYS: i64 = 7;
const MONTHS: i64 = 12;

/// Tells the year; returns the sandbox with its two people.
pub async fn subscribed(
    transcript: &mut Transcript,
    stage: &Stage,
    platforms: &Platforms,
) -> Result<Shop> {
    transcript.chapter("A year of a subscription");
    let channel = stage.cluster.node(0).channel()?;
    let terms = Onboarding::paid("Atelier Probe", OPERATOR_SHARE).sandbox().in_time_zone(ZONE);
    let platform = Platform::onboard(channel.clone(), stage.cluster.operator_key(), &terms).await?;
    platform.publish_price(shop::monthly(PRICE, Some(TRIAL_DAYS)), None, RECIPIENT_SHARE).await?;
    transcript.step(&format!("Atelier Probe is onboarded as a sandbox, in {ZONE}"));
    let folder = stage.devices.path();
    let payer = Person::arrive("Gil", &platform, &stage.endpoint(0), folder).await?;
    let recipient = Person::arrive("Hana", &platform, &stage.endpoint(1), folder).await?;

    let mut live = ClockServiceClient::new(channel.clone());
    let refused = live.get_clock(platforms.studio.backend(GetClockRequest {})?).await;
    transcript.check(
        "only a sandbox has a clock that can be moved",
        refused.is_err(),
        refused.err().map_or("a live platform has one".to_owned(), |e| e.message().to_owned()),
    );
    let now = shop::local(shop::clock(&platform, &channel).await?.time)?;
    // Half an hour into a local day, which in UTC is still the day before.
    let begin = date(now.year() + 1, 1, 24).at(0, 30, 0, 0).to_zoned(TimeZone::get(ZONE)?)?;
    shop::advance(&platform, &channel, &begin).await?;
    transcript.step(&format!("its clock is moved to {}", begin.strftime("%-d %B %Y, %H:%M")));

    let credited = PRICE * MONTHS;
    let wallet = plasma_testkit::platform::amount("EUR", credited);
    platform.credit(&payer.user_id, wallet).await?;
    let link = recipient.phone().device.create_link().await?;
    let (resolved, opened) = payer.open(&link).await?;
    let pass = opened.pass.context("a pass")?;
    transcript.step(&format!(
        "Gil opens Hana’s link and subscribes: {}, the first {TRIAL_DAYS} days free",
        figure::quote(&resolved.quote)
    ));
    let left = available(&platform, &payer.user_id).await?;
    let chat = opened.chat.id;
    let shop = Shop { platform, channel, payer, recipient, chat, credited };
    let ask = transcript.saying("May I send you one sketch a week?");
    shop.payer.say(chat, &ask).await?;
    transcript.check(
        "a trial opens the chat and costs nothing",
        pass.kind() == PassKind::Trial && left == credited && shop.charges().await?.is_empty(),
        format!("wallet {}", figure::money("EUR", left)),
    );
    through_the_year(transcript, &shop, &begin).await?;
    Ok(shop)
}

/// The last day of each month of a year, on each of which a subscription of the 31st is due.
fn due_days(year: i16) -> Vec<String> {
    let last = |month| date(year, month, 1).last_of_month().to_string();
    (1..=12).map(last).collect()
}

async fn through_the_year(transcript: &mut Transcript, shop: &Shop, begin: &Zoned) -> Result<()> {
    let end = date(begin.year(), 12, 31).at(12, 0, 0, 0).to_zoned(begin.time_zone().clone())?;
    shop.advance(&end).await?;
    transcript.step(&format!("the clock runs to {}", end.strftime("%-d %B %Y, %H:%M")));
    let charges = shop.charges().await?;
    let (mut days, mut wallet, mut off) = (Vec::new(), shop.credited, Vec::new());
    for charge in &charges {
        let moment = shop::local(charge.create_time)?;
        wallet -= charge.amount_minor_units;
        transcript.detail(
            &moment.strftime("%-d %b %Y, %H:%M").to_string(),
            format!(
                "{} of Gil’s wallet, {} left",
                figure::money(&charge.currency_code, charge.amount_minor_units),
                figure::money("EUR", wallet)
            ),
        );
        days.push(moment.date().to_string());
        if (moment.hour(), moment.minute()) != (begin.hour(), begin.minute()) {
            off.push(moment.strftime("%F %H:%M").to_string());
        }
    }
    let wanted = due_days(begin.year());
    transcript.check(
        "a year is 12 charges: 31 January, the last of February, 31 March, …",
        days == wanted,
        format!("{} charges, on {}", days.len(), shortened(&days)),
    );
    transcript.check(
        "each is at the local time at which the first was, in winter and in summer",
        off.is_empty() && !days.is_empty(),
        if off.is_empty() { begin.strftime("%H:%M").to_string() } else { off.join(", ") },
    );
    let (left, taken) = (shop.wallet().await?, sum(&charges));
    let subscription = shop.subscription().await?;
    transcript.check(
        "the wallet paid 12 months, and nothing else",
        left == 0 && taken == PRICE * MONTHS && subscription.periods_paid == MONTHS,
        format!("{} taken, {} left", figure::money("EUR", taken), figure::money("EUR", left)),
    );
    Ok(())
}

fn sum(charges: &[Charge]) -> i64 {
    charges.iter().map(|charge| charge.amount_minor_units).sum()
}

fn shortened(days: &[String]) -> String {
    days.iter().map(|day| day.get(5..).unwrap_or(day)).collect::<Vec<_>>().join(" ")
}
