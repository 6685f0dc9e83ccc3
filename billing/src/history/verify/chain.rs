//! The chain and the tree: each link, each subtree that is kept, each checkpoint.

use plasma_kit::db::StoreError;
use plasma_kit::ids::TransactionId;
use plasma_proof::tree::{self, Frontier, Subtree};
use plasma_proof::{Hash, NO_CHAIN, SignedCheckpoint, chain};

use super::{Audit, Defect, PAGE, SnapshotOf};
use crate::store::audit;
use crate::store::history::{self, Link};

/// Where the walk along a chain is.
struct Walk {
    frontier: Frontier,
    /// As the rows say, so that one link that was changed is found once.
    stored: Hash,
    completed: Vec<(Subtree, Hash)>,
    checkpoints: Vec<SignedCheckpoint>,
}

impl Audit<'_> {
    pub(super) async fn chain(&mut self, books: &SnapshotOf<'_>) -> Result<(), StoreError> {
        let mut walk = Walk {
            frontier: Frontier::default(),
            stored: NO_CHAIN,
            completed: Vec::new(),
            checkpoints: audit::checkpoints(books, 0, PAGE).await?,
        };
        loop {
            let next = walk.frontier.size() + 1;
            let links = history::links(books, next, PAGE).await?;
            let Some(last) = links.last() else { break };
            let gone = audit::links_without_transaction(books, next, last.number).await?;
            for (number, transaction) in gone {
                self.find(books, Defect::Gone(transaction, number));
            }
            for link in &links {
                let expected = walk.frontier.size() + 1;
                if link.number != expected {
                    // What follows a gap cannot be placed: its numbers no longer count leaves.
                    self.find(books, Defect::Gap(expected));
                    return Ok(());
                }
                self.link(books, &mut walk, link).await?;
            }
            self.subtrees(books, &mut walk).await?;
        }
        self.head(books, &walk).await
    }

    async fn link(
        &mut self,
        books: &SnapshotOf<'_>,
        walk: &mut Walk,
        link: &Link,
    ) -> Result<(), StoreError> {
        self.verified.links += 1;
        if chain(books.id().0, link.number, &walk.stored, &link.entry) != link.chain {
            let transaction = TransactionId(link.transaction);
            self.find(books, Defect::BrokenLink(link.number, transaction));
        }
        walk.stored = link.chain;
        let completed = &mut walk.completed;
        walk.frontier.append(tree::leaf(&link.entry), |subtree, hash| {
            completed.push((subtree, hash));
        });
        while let Some(stated) = walk.checkpoints.first().copied()
            && stated.checkpoint.size <= link.number
        {
            self.checkpoint(books, &stated, walk);
            walk.checkpoints.remove(0);
            if walk.checkpoints.is_empty() {
                walk.checkpoints = audit::checkpoints(books, stated.checkpoint.size, PAGE).await?;
            }
        }
        Ok(())
    }

    fn checkpoint(&mut self, books: &SnapshotOf<'_>, stated: &SignedCheckpoint, walk: &Walk) {
        let checkpoint = &stated.checkpoint;
        if checkpoint.root != walk.frontier.root() || checkpoint.chain != walk.stored {
            self.find(books, Defect::WrongCheckpoint(checkpoint.size));
        }
        if stated.verify(&self.keys).is_err() {
            self.find(books, Defect::Unsigned(checkpoint.size));
        }
    }

    async fn subtrees(
        &mut self,
        books: &SnapshotOf<'_>,
        walk: &mut Walk,
    ) -> Result<(), StoreError> {
        for (subtree, hash) in walk.completed.drain(..) {
            let kept = history::subtrees(books, subtree.height, subtree.index, 1).await?;
            if kept.first() != Some(&hash) {
                self.find(books, Defect::WrongSubtree(subtree.height, subtree.index));
            }
        }
        Ok(())
    }

    async fn head(&mut self, books: &SnapshotOf<'_>, walk: &Walk) -> Result<(), StoreError> {
        let size = walk.frontier.size();
        let head = history::checkpoint(books).await?;
        let says = head.map_or(0, |head| head.checkpoint.size);
        let stated = walk.checkpoints.last().map_or(0, |last| last.checkpoint.size);
        if says != size || stated > size {
            self.find(books, Defect::WrongHead(says.max(stated), size));
        } else if let Some(head) = head {
            self.checkpoint(books, &head, walk);
        }
        Ok(())
    }
}
