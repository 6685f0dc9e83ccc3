//! Checks of Reserve.

use pb::DeclineReason;
use pb::reserve_response::Outcome;
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use super::Verdict;
use super::bench::{AMOUNT, Bench, accepted_reserve, instead};

const AT_ONCE: usize = 20;

pub(super) async fn needs_the_secret(bench: &Bench) -> Verdict {
    let id = bench.id();
    let mut request = Request::new(bench.reserve_request(&id, AMOUNT));
    let wrong = "Bearer a-secret-that-is-wrong".parse().map_err(|_| "no header".to_owned())?;
    request.metadata_mut().insert("authorization", wrong);
    match bench.client.clone().reserve(request).await {
        Err(_) => Ok(()),
        Ok(answer) => {
            bench.free(&id).await?;
            instead("Reserve with a wrong secret", &answer.into_inner().outcome)
        }
    }
}

pub(super) async fn sets_aside(bench: &Bench) -> Verdict {
    let before = bench.money().await?;
    let id = bench.id();
    let operation = accepted_reserve(&bench.reserve(&id, AMOUNT).await?)?;
    if operation.operation_id != id || operation.amount != bench.amount(AMOUNT) {
        return instead("Reserve", &operation);
    }
    bench.moved(before, 0, -AMOUNT).await?;
    bench.free(&id).await?;
    bench.moved(before, 0, 0).await
}

pub(super) async fn repeats(bench: &Bench) -> Verdict {
    let before = bench.money().await?;
    let id = bench.id();
    let first = accepted_reserve(&bench.reserve(&id, AMOUNT).await?)?;
    for _ in 0..3 {
        let again = accepted_reserve(&bench.reserve(&id, AMOUNT).await?)?;
        if again != first {
            return instead("the same Reserve again", &again);
        }
    }
    bench.moved(before, 0, -AMOUNT).await?;
    bench.free(&id).await
}

pub(super) async fn in_parallel(bench: &Bench) -> Verdict {
    let before = bench.money().await?;
    let id = bench.id();
    let calls = (0..AT_ONCE).map(|_| bench.reserve(&id, AMOUNT));
    let mut first = None;
    for outcome in futures::future::join_all(calls).await {
        let operation = accepted_reserve(&outcome?)?;
        if first.get_or_insert_with(|| operation.clone()) != &operation {
            return instead("an equal Reserve in parallel", &operation);
        }
    }
    bench.moved(before, 0, -AMOUNT).await?;
    bench.free(&id).await
}

pub(super) async fn other_body(bench: &Bench) -> Verdict {
    let before = bench.money().await?;
    let id = bench.reserved(AMOUNT).await?;
    let same = bench.reserve_request(&id, AMOUNT);
    let others = [
        bench.reserve_request(&id, AMOUNT + 1),
        pb::ReserveRequest { partner_user_id: format!("{}-other", bench.user), ..same.clone() },
        pb::ReserveRequest { reference: "another".to_owned(), ..same },
    ];
    for request in others {
        match bench.reserve_by(request).await? {
            Outcome::Duplicate(_) => {}
            other => return instead("Reserve with another body", &other),
        }
    }
    bench.moved(before, 0, -AMOUNT).await?;
    bench.free(&id).await
}

pub(super) async fn too_much(bench: &Bench) -> Verdict {
    let before = bench.money().await?;
    let id = bench.id();
    for _ in 0..2 {
        match bench.reserve(&id, before.1 + 1).await? {
            Outcome::Declined(declined)
                if declined.reason() == DeclineReason::InsufficientFunds => {}
            other => return instead("Reserve of too much", &other),
        }
    }
    bench.moved(before, 0, 0).await
}

pub(super) async fn stranger(bench: &Bench) -> Verdict {
    let mut request = bench.reserve_request(&bench.id(), AMOUNT);
    request.partner_user_id = format!("nobody-{}", bench.id());
    match bench.reserve_by(request).await? {
        Outcome::Declined(declined) if declined.reason() == DeclineReason::UserUnknown => Ok(()),
        other => instead("Reserve of a stranger", &other),
    }
}
