//! The clock of a sandbox.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use plasma_proto::billing::v1::clock_service_client::ClockServiceClient;
use plasma_proto::billing::v1::{AdvanceClockRequest, Clock, ClockState, GetClockRequest};
use prost_types::Timestamp;
use tonic::transport::Channel;

use super::Connection;
use super::connection::{explain, request_id};

/// How often a clock that moves is asked how far it is.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Show a sandbox's clock, or move it.
#[derive(Debug, Args)]
pub(crate) struct MoveClock {
    /// Move it to this time, such as 2027-03-01T00:00:00Z, and wait until it is there.
    #[arg(long)]
    to: Option<Timestamp>,
    /// Move it by so many days, and wait until it is there.
    #[arg(long, conflicts_with = "to")]
    days: Option<u32>,
}

impl MoveClock {
    pub(crate) async fn run(self, connection: &Connection) -> Result<()> {
        let mut client = ClockServiceClient::new(connection.channel.clone());
        let mut clock = look(connection, &mut client).await?;
        if let Some(time) = self.target(&clock)? {
            let request = AdvanceClockRequest { request_id: request_id(), time: Some(time) };
            client.advance_clock(connection.request(request)).await.map_err(explain)?;
            loop {
                tokio::time::sleep(LOOK_INTERVAL).await;
                clock = look(connection, &mut client).await?;
                if clock.state() == ClockState::Ready {
                    break;
                }
                println!("at       {}", shown(clock.time));
            }
        }
        println!("time     {}", shown(clock.time));
        let ahead = clock.ahead.unwrap_or_default().seconds;
        println!("ahead    {} days {} s", ahead / DAY_SECONDS, ahead % DAY_SECONDS);
        match clock.state() {
            ClockState::Unspecified => bail!("the answer has no state"),
            ClockState::Ready => println!("state    ready"),
            ClockState::Advancing => {
                println!("state    on its way to {}", shown(clock.target_time));
            }
        }
        Ok(())
    }

    fn target(&self, clock: &Clock) -> Result<Option<Timestamp>> {
        let Some(days) = self.days else { return Ok(self.to) };
        let mut time = clock.time.context("the answer has no time")?;
        time.seconds = time.seconds.saturating_add(i64::from(days) * DAY_SECONDS);
        Ok(Some(time))
    }
}

async fn look(connection: &Connection, client: &mut ClockServiceClient<Channel>) -> Result<Clock> {
    let request = connection.request(GetClockRequest {});
    let answer = client.get_clock(request).await.map_err(explain)?;
    answer.into_inner().clock.context("the answer has no clock")
}

fn shown(time: Option<Timestamp>) -> String {
    time.map(|time| time.to_string()).unwrap_or_default()
}
