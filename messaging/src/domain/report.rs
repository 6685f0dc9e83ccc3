//! A report of what one user did to another.

use plasma_kit::Timestamp;
use plasma_kit::actor::DeviceActor;
use plasma_kit::ids::{ChatId, ReportId};

use super::chat::UserKey;

/// A report, without what it discloses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The report.
    pub id: ReportId,
    /// The chat of the two.
    pub chat: ChatId,
    /// Who reports, on which device.
    pub reporter: DeviceActor,
    /// Who is reported; the user's tenant owns the report.
    pub reported: UserKey,
    /// The contract's number of what it is about.
    pub category: i16,
    /// In the reporter's words.
    pub comment: String,
    /// How many messages are disclosed.
    pub message_count: i32,
    /// When it was made.
    pub created_at: Timestamp,
}
