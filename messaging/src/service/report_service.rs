//! `plasma.messaging.v1.ReportService`.

use std::sync::Arc;
use std::time::Duration;

use plasma_kit::actor;
use plasma_kit::rate::RateLimit;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::report_service_server;
use tonic::{Request, Response, Status};

use super::{create_report, get_report, list_reports};
use crate::Messaging;
use crate::domain::UserKey;

/// Reports that a user may make at once, and how soon one more.
const REPORT_BURST: u32 = 10;
const REPORT_REFILL: Duration = Duration::from_mins(1);

/// Reports of what one user did to another.
#[derive(Clone)]
pub struct ReportService {
    messaging: Messaging,
    limit: Arc<RateLimit<UserKey>>,
}

impl ReportService {
    /// The service over this context.
    pub fn new(messaging: Messaging) -> Self {
        let limit = messaging.limits.limit("create_report", REPORT_BURST, REPORT_REFILL);
        Self { messaging, limit: Arc::new(limit) }
    }
}

#[tonic::async_trait]
impl report_service_server::ReportService for ReportService {
    async fn create_report(
        &self,
        request: Request<pb::CreateReportRequest>,
    ) -> Result<Response<pb::CreateReportResponse>, Status> {
        let device = actor::device(&request)?;
        let request = request.into_inner();
        let answer = create_report::handle(&self.messaging, &self.limit, device, request).await?;
        Ok(Response::new(answer))
    }

    async fn get_report(
        &self,
        request: Request<pb::GetReportRequest>,
    ) -> Result<Response<pb::GetReportResponse>, Status> {
        let key = actor::key(&request)?;
        let answer = get_report::handle(&self.messaging, key, request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn list_reports(
        &self,
        request: Request<pb::ListReportsRequest>,
    ) -> Result<Response<pb::ListReportsResponse>, Status> {
        let key = actor::key(&request)?;
        let answer = list_reports::handle(&self.messaging, key, request.into_inner()).await?;
        Ok(Response::new(answer))
    }
}
