//! Checks of `GetOperation` and `ListOperations`.

use std::collections::HashSet;

use pb::WalletOperationState as State;
use pb::get_operation_response::Answer;
use plasma_proto::billing::v1 as pb;

use super::Verdict;
use super::bench::{AMOUNT, Bench, instead};

/// How far the wallet's clock may be off, in seconds.
const CLOCKS_MAX: i64 = 300;
const PAGES_MAX: usize = 10_000;

pub(super) async fn operation(bench: &Bench) -> Verdict {
    let captured = bench.captured(AMOUNT).await?;
    let refund = bench.id();
    bench.refund(&refund, &captured, AMOUNT).await?;
    let released = bench.reserved(AMOUNT).await?;
    let reserved = bench.reserved(AMOUNT).await?;
    bench.free(&released).await?;
    for (id, state) in [
        (&captured, State::Captured),
        (&refund, State::Refunded),
        (&released, State::Released),
        (&reserved, State::Reserved),
    ] {
        match bench.operation(id).await? {
            Answer::Operation(operation)
                if operation.state() == state
                    && operation.operation_id == *id
                    && operation.amount == bench.amount(AMOUNT) => {}
            other => return instead(&format!("GetOperation, expected {state:?},"), &other),
        }
    }
    bench.free(&reserved).await
}

pub(super) async fn pages(bench: &Bench) -> Verdict {
    let mut made = Vec::new();
    for _ in 0..3 {
        let id = bench.reserved(1).await?;
        bench.free(&id).await?;
        made.push(id);
    }
    let mut listed = Vec::new();
    let mut page_token = String::new();
    for _ in 0..PAGES_MAX {
        let request = pb::ListOperationsRequest {
            start_time: bench.moment(-CLOCKS_MAX),
            end_time: bench.moment(CLOCKS_MAX),
            page_size: 2,
            page_token,
        };
        let page = bench.client.clone().list_operations(bench.request(request)).await;
        let page = page.map_err(|status| format!("ListOperations: {status}"))?.into_inner();
        if page.operations.len() > 2 {
            return Err("a page is larger than was asked for".to_owned());
        }
        listed.extend(page.operations);
        page_token = page.next_page_token;
        if page_token.is_empty() || listed.len() > 2 * PAGES_MAX {
            break;
        }
        let ids: HashSet<_> = listed.iter().map(|operation| &operation.operation_id).collect();
        if ids.len() != listed.len() {
            return Err("an operation is listed twice".to_owned());
        }
    }
    let times = listed
        .iter()
        .map(|operation| operation.create_time.as_ref().map(|time| (time.seconds, time.nanos)));
    if !times.collect::<Vec<_>>().is_sorted() {
        return Err("the list is not the oldest first".to_owned());
    }
    let found: Vec<&String> = listed
        .iter()
        .map(|operation| &operation.operation_id)
        .filter(|id| made.contains(*id))
        .collect();
    if found.iter().copied().eq(made.iter()) {
        Ok(())
    } else {
        Err(format!("of {} operations in a row {} are listed", made.len(), found.len()))
    }
}
