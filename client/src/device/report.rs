//! Reporting the other user of a chat to that user's platform.

use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::report_service_client::ReportServiceClient;
use tonic::transport::Channel;

use super::Device;
use crate::error::Error;
use crate::id::ChatId;
use crate::message::MessageRef;
use crate::store::evidence;

impl Device {
    /// Reports the other user of a chat, with messages that the person chooses to disclose, and
    /// returns the report's id.
    ///
    /// Each disclosed message goes with what opens exactly its envelope, and nothing else of the
    /// chat. Fails with [`Error::NotReportable`] for one that this device did not receive itself in
    /// the last thirty days, or that is gone.
    pub async fn report(
        &self,
        chat: ChatId,
        category: pb::ReportCategory,
        comment: &str,
        disclosed: &[MessageRef],
    ) -> Result<String, Error> {
        let mut messages = Vec::new();
        for message in disclosed {
            let proofs = self.inner.store.read(|db| evidence::list(db, chat, *message))?;
            if proofs.is_empty() {
                return Err(Error::NotReportable(message.id));
            }
            messages.extend(proofs);
        }
        let request = pb::CreateReportRequest {
            request_id: self.inner.env.request_id(),
            chat_id: chat.to_string(),
            category: category.into(),
            comment: comment.to_owned(),
            messages,
        };
        let operation = |channel: Channel, request| async move {
            ReportServiceClient::new(channel).create_report(request).await
        };
        Ok(self.call(request, operation).await?.report_id)
    }
}
