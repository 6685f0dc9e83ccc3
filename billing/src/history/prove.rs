//! The proof of one transaction: its parts, and the way to the newest checkpoint.

use plasma_kit::db::{Scope, StoreError};
use plasma_proof::tree::{self, KEPT_HEIGHT, Subtree};
use plasma_proof::{ChargeProof, Hash, Posting, ProofPart, commitment};

use super::Seals;
use crate::store::history;
use crate::store::recorded::Recorded;

/// Proves a transaction, of whose postings those are shown that `shows` says. `None` where it waits
/// to be folded.
pub(crate) async fn prove(
    books: &impl Scope,
    seals: &Seals,
    recorded: &Recorded,
    shows: impl Fn(&Posting) -> bool,
) -> Result<Option<ChargeProof>, StoreError> {
    let number = history::number_of(books, recorded.header.transaction).await?;
    // Read after the number, so that the checkpoint covers it.
    let checkpoint = history::checkpoint(books).await?;
    let (Some(number), Some(checkpoint)) = (number, checkpoint) else { return Ok(None) };
    let size = checkpoint.checkpoint.size;
    let steps = tree::path(number - 1, size).ok_or_else(|| {
        StoreError::Inconsistent(format!("number {number} of a history of {size} entries"))
    })?;
    let mut path = Vec::with_capacity(steps.len());
    for subtrees in steps {
        let mut hashes = Vec::with_capacity(subtrees.len());
        for subtree in subtrees {
            hashes.push(root(books, subtree).await?);
        }
        path.push(tree::join(&hashes).ok_or_else(incomplete)?);
    }
    let open = |part: i16, content: Vec<u8>| ProofPart::Shown {
        salt: seals.salt(recorded, part),
        content,
    };
    let postings = recorded.postings.iter().map(|posting| {
        let content = posting.to_bytes();
        if shows(posting) {
            return open(posting.line, content);
        }
        ProofPart::Hidden(commitment(&seals.salt(recorded, posting.line), &content))
    });
    let header = open(0, recorded.header.to_bytes());
    let parts = std::iter::once(header).chain(postings).collect();
    Ok(Some(ChargeProof { parts, number, path, checkpoint }))
}

/// The root of a perfect subtree, from what is kept of the greatest height below it: at most 128
/// rows.
async fn root(books: &impl Scope, subtree: Subtree) -> Result<Hash, StoreError> {
    let kept = subtree.height / KEPT_HEIGHT * KEPT_HEIGHT;
    let count = 1_u64 << (subtree.height - kept);
    let first = subtree.index * count;
    let nodes = if kept == 0 {
        let links = history::links(books, first + 1, count).await?;
        links.iter().map(|link| tree::leaf(&link.entry)).collect()
    } else {
        history::subtrees(books, kept, first, count).await?
    };
    if nodes.len() as u64 != count {
        return Err(incomplete());
    }
    tree::combine(nodes).ok_or_else(incomplete)
}

fn incomplete() -> StoreError {
    StoreError::Inconsistent("a ledger's tree lacks nodes".to_owned())
}
