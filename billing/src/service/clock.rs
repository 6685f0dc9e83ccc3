//! `plasma.billing.v1.ClockService`.

use plasma_kit::convert;
use plasma_kit::env::Timestamp;
use plasma_proto::billing::v1 as pb;
use plasma_proto::billing::v1::clock_service_server;
use tonic::{Request, Response, Status};

use super::{advance_clock, get_clock};
use crate::Billing;
use crate::domain::clock::Clock;

/// Moves the time of sandboxes.
#[derive(Debug, Clone)]
pub struct ClockService {
    billing: Billing,
}

impl ClockService {
    /// Serves from a node's billing.
    pub fn new(billing: Billing) -> Self {
        Self { billing }
    }
}

#[tonic::async_trait]
impl clock_service_server::ClockService for ClockService {
    async fn get_clock(
        &self,
        request: Request<pb::GetClockRequest>,
    ) -> Result<Response<pb::GetClockResponse>, Status> {
        Ok(Response::new(get_clock::handle(&self.billing, &request).await?))
    }

    async fn advance_clock(
        &self,
        request: Request<pb::AdvanceClockRequest>,
    ) -> Result<Response<pb::AdvanceClockResponse>, Status> {
        Ok(Response::new(advance_clock::handle(&self.billing, &request).await?))
    }
}

/// Writes a clock as it stands when the real time is `real`.
pub(super) fn written(clock: Clock, real: Timestamp) -> pb::Clock {
    let state = match clock.target {
        Some(_) => pb::ClockState::Advancing,
        None => pb::ClockState::Ready,
    };
    pb::Clock {
        time: Some(convert::timestamp(clock.time(real))),
        ahead: Some(convert::duration(clock.ahead(real))),
        state: state.into(),
        target_time: clock.target.map(convert::timestamp),
    }
}
