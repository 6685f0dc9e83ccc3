//! The sandbox that sells a subscription: its clock, its price and what its payer sees of it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiff::{Timestamp, Zoned, tz::TimeZone};
use plasma_client::{ChatId, Error, accept};
use plasma_proto::billing::v1::access_service_client::AccessServiceClient;
use plasma_proto::billing::v1::clock_service_client::ClockServiceClient;
use plasma_proto::billing::v1::price_terms::Mode;
use plasma_proto::billing::v1::subscription_price::Period;
use plasma_proto::billing::v1::{
    AdvanceClockRequest, CalendarPeriod, Charge, Clock, ClockState, GetClockRequest,
    ListSubscriptionsRequest, PriceTerms, Subscription, SubscriptionPrice, SubscriptionState,
};
use plasma_testkit::platform::amount;
use plasma_testkit::{Platform, secret};
use tonic::transport::Channel;

use crate::chapter::contact::{available, charges};
use crate::person::{Person, SOON};

/// The time zone of the sandbox: in winter an hour ahead of UTC, in summer two.
pub const ZONE: &str = "Europe/Berlin";
/// What a month costs at first, in cents.
pub const PRICE: i64 = 990;
/// What is left for the recipient after the operator's share, in basis points.
pub const RECIPIENT_SHARE: u32 = 7_000;
/// How long the chat stays open on an empty wallet, in days.
pub const GRACE_DAYS: i64 = 3;

const DAY_SECONDS: i64 = 86_400;
/// How long a clock may take to move by a year, on a busy machine.
const MOVE_MAX: Duration = Duration::from_mins(2);
const LOOK: Duration = Duration::from_millis(40);

/// The sandbox, who pays there and who is paid.
#[derive(Debug)]
pub struct Shop {
    /// The sandbox.
    pub platform: Platform,
    /// A connection to the service.
    pub channel: Channel,
    /// Who pays.
    pub payer: Person,
    /// Who is paid.
    pub recipient: Person,
    /// Their chat.
    pub chat: ChatId,
    /// All that was put into the payer's wallet, in cents.
    pub credited: i64,
}

/// A price by the month, at the end of a trial of so many days where there is one.
pub fn monthly(minor_units: i64, trial_days: Option<i64>) -> PriceTerms {
    let days = |days: i64| prost_types::Duration { seconds: days * DAY_SECONDS, nanos: 0 };
    let mut terms = PriceTerms::from(Mode::Subscription(SubscriptionPrice {
        amount: Some(amount("EUR", minor_units)),
        period: Some(Period::Calendar(CalendarPeriod { months: 1 })),
        grace: Some(days(GRACE_DAYS)),
    }));
    terms.trial = trial_days.map(|trial| plasma_proto::billing::v1::Trial {
        duration: Some(days(trial)),
        converts: true,
    });
    terms
}

/// A moment by the sandbox's calendar.
pub fn local(time: Option<prost_types::Timestamp>) -> Result<Zoned> {
    let seconds = time.context("a time")?.seconds;
    Ok(Timestamp::from_second(seconds)?.to_zoned(TimeZone::get(ZONE)?))
}

/// The same moment as the contract writes it.
pub fn written(moment: &Zoned) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: moment.timestamp().as_second(), nanos: 0 }
}

/// Asks a platform for its clock.
pub async fn clock(platform: &Platform, channel: &Channel) -> Result<Clock> {
    let mut client = ClockServiceClient::new(channel.clone());
    let answer = client.get_clock(platform.backend(GetClockRequest {})?).await?;
    answer.into_inner().clock.context("a clock")
}

/// Moves a sandbox’s clock and waits until it is there.
pub async fn advance(platform: &Platform, channel: &Channel, to: &Zoned) -> Result<()> {
    let request = AdvanceClockRequest { request_id: secret::request_id(), time: Some(written(to)) };
    let mut client = ClockServiceClient::new(channel.clone());
    client.advance_clock(platform.backend(request)?).await?;
    let begun = Instant::now();
    while clock(platform, channel).await?.state() != ClockState::Ready {
        ensure!(begun.elapsed() < MOVE_MAX, "the clock is not at {to} after {MOVE_MAX:?}");
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

impl Shop {
    /// The sandbox’s time.
    pub async fn now(&self) -> Result<Zoned> {
        local(clock(&self.platform, &self.channel).await?.time)
    }

    /// Moves the sandbox’s clock to a moment.
    pub async fn advance(&self, to: &Zoned) -> Result<()> {
        advance(&self.platform, &self.channel, to).await
    }

    /// Puts money into the payer's wallet.
    pub async fn credit(&mut self, minor_units: i64) -> Result<()> {
        self.platform.credit(&self.payer.user_id, amount("EUR", minor_units)).await?;
        self.credited += minor_units;
        Ok(())
    }

    /// What the payer can spend, in cents.
    pub async fn wallet(&self) -> Result<i64> {
        available(&self.platform, &self.payer.user_id).await
    }

    /// The payer's charges, the first one first.
    pub async fn charges(&self) -> Result<Vec<Charge>> {
        let mut charges = charges(&self.platform, self.channel.clone()).await?;
        charges.reverse();
        Ok(charges)
    }

    /// The subscription that was bought last, as the payer's phone sees it.
    pub async fn subscription(&self) -> Result<Subscription> {
        let device = &self.payer.phone().device;
        let listed =
            device.call(ListSubscriptionsRequest::default(), |channel, request| async move {
                AccessServiceClient::new(channel).list_subscriptions(request).await
            });
        listed.await?.subscriptions.into_iter().next().context("a subscription")
    }

    /// Waits until the subscription is in a state by itself.
    pub async fn comes_to(&self, state: SubscriptionState) -> Result<Subscription> {
        let begun = Instant::now();
        loop {
            let subscription = self.subscription().await?;
            if subscription.state() == state || begun.elapsed() > SOON {
                return Ok(subscription);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The payer subscribes anew in the chat at the price that is asked.
    pub async fn pay(&self) -> Result<(), Error> {
        let device = &self.payer.phone().device;
        let quote = device.quote(self.chat).await?.quote;
        device.renew(self.chat, accept(&quote)).await?;
        Ok(())
    }
}

/// The name of a state for a person: `past due`.
pub fn named(state: SubscriptionState) -> String {
    let name = state.as_str_name().trim_start_matches("SUBSCRIPTION_STATE_");
    name.to_lowercase().replace('_', " ")
}
