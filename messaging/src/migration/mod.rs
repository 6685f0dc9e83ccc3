//! The tables of this context.

mod chats;
mod devices;
mod envelope_class;
mod envelope_order;
mod envelopes;
mod links;
mod prekeys;
mod recovery;
mod reports;

use sea_orm_migration::prelude::*;

/// The migrations of this crate, in order of their names.
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(devices::Devices),
        Box::new(prekeys::Prekeys),
        Box::new(links::Links),
        Box::new(chats::Chats),
        Box::new(envelopes::Envelopes),
        Box::new(recovery::Recovery),
        Box::new(reports::Reports),
        Box::new(envelope_order::EnvelopeOrder),
        Box::new(envelope_class::EnvelopeClass),
    ]
}
