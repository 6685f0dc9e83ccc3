//! `PricingService.SimulatePrices`.

use std::pin::pin;
use std::time::Duration;

use futures::{Stream, TryStreamExt};
use plasma_kit::db::{StoreError, TenantClaim, TenantDb};
use plasma_kit::ids::PriceDraftId;
use plasma_kit::status::Failure;
use plasma_kit::{Timestamp, actor, convert};
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use super::written;
use crate::Billing;
use crate::domain::price::PriceDefinition;
use crate::domain::simulation::{Charged, Simulation};
use crate::domain::split::BasisPoints;
use crate::error::{Error, Object, Refusal};
use crate::store::{price_drafts, replay};

/// The time that is replayed where no start is given.
const TIME: Duration = Duration::from_hours(30 * 24);

/// How many payers, recipients and prices together are replayed at most.
const CHARGED_MAX: u64 = 200_000;

/// Replays the charges of a time under drafts, one payer, recipient and price after the other.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::SimulatePricesRequest>,
) -> Result<pb::SimulatePricesResponse, Error> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let time = time(request, billing.now(key.tenant).await?)?;
    let drafts = find(&db, &request.price_draft_ids).await?;
    let terms = billing.tenants.terms(key.tenant).await?;
    let operator = terms.ok_or(Refusal::NotFound(Object::Tenant))?.operator_share_basis_points;
    let operator = BasisPoints::new(operator).ok_or_else(|| {
        StoreError::Inconsistent(format!("the operator's share is {operator} basis points"))
    })?;
    let rule = "must be of different targets";
    let mut simulation = Simulation::new(operator, drafts)
        .ok_or(Refusal::Invalid { field: "price_draft_ids", rule })?;
    let rows = replay::charged(&db, time, CHARGED_MAX + 1).await?;
    replay_all(&mut simulation, rows, CHARGED_MAX).await?;
    let ids = request.price_draft_ids.iter();
    Ok(pb::SimulatePricesResponse {
        revenue: simulation.revenue().map(written::revenue).collect(),
        drafts: ids.zip(simulation.drafts()).map(|(id, one)| written::touched(id, one)).collect(),
        start_time: Some(convert::timestamp(time.0)),
        end_time: Some(convert::timestamp(time.1)),
    })
}

/// Replays rows as they come, `most` of them at most.
async fn replay_all(
    simulation: &mut Simulation,
    rows: impl Stream<Item = Result<Charged, StoreError>>,
    most: u64,
) -> Result<(), Error> {
    let (mut rows, mut replayed) = (pin!(rows), 0);
    while let Some(charged) = rows.try_next().await? {
        replayed += 1;
        if replayed > most {
            let text = format!(
                "payers, recipients and prices come to more than {most} in the time; ask for \
                 less time"
            );
            return Err(Failure::limit_reached("charges", text).into());
        }
        simulation.replay(&charged);
    }
    Ok(())
}

/// Start, inclusive, and end, exclusive.
fn time(
    request: &pb::SimulatePricesRequest,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp), Refusal> {
    let end = request.end_time.as_ref().map_or(now, convert::moment);
    let start = request.start_time.as_ref().map_or_else(|| end.minus(TIME), convert::moment);
    if start >= end {
        return Err(Refusal::Invalid { field: "start_time", rule: "must be before end_time" });
    }
    Ok((start, end))
}

async fn find(db: &TenantDb, ids: &[String]) -> Result<Vec<PriceDefinition>, Error> {
    let mut definitions = Vec::with_capacity(ids.len());
    for id in ids {
        let draft = price_drafts::get(db, PriceDraftId::checked(id)).await?;
        definitions.push(draft.ok_or(Refusal::NotFound(Object::PriceDraft))?.definition);
    }
    Ok(definitions)
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use plasma_kit::ids::{TenantId, UserId};
    use plasma_kit::status::{ErrorReason, Failure};
    use uuid::Uuid;

    use super::{Charged, Simulation, replay_all};
    use crate::domain::money::{Currency, Money};
    use crate::domain::pass::Party;
    use crate::domain::split::{BasisPoints, Split};

    #[tokio::test]
    async fn more_than_the_limit_is_refused() {
        let user = UserId(Uuid::from_u128(1));
        let charged = Charged {
            payer: Party { tenant: TenantId(Uuid::from_u128(2)), user },
            group: None,
            recipient: user,
            precedence: 0,
            money: Money::new(Currency::parse("EUR").unwrap(), 5).unwrap(),
            charges: 1,
            split: Split::from_parts(1, 2, 2),
        };
        let replay = async |rows: usize| {
            let share = BasisPoints::new(0).unwrap();
            let mut simulation = Simulation::new(share, Vec::new()).unwrap();
            let rows = stream::iter(std::iter::repeat_with(|| Ok(charged)).take(rows));
            replay_all(&mut simulation, rows, 3).await.map_err(Failure::from)
        };
        assert!(replay(3).await.is_ok());
        let refused = replay(4).await.unwrap_err();
        assert_eq!(refused.reason(), ErrorReason::LimitReached);
    }
}
