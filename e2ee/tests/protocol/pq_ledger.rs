//! What anyone on the wire sees of the post-quantum steps of an honest conversation.

use std::collections::HashMap;

use crate::world::header_length;

/// The steps of each session, read from the headers in the order of sending.
#[derive(Default)]
pub struct Ledger {
    sessions: HashMap<Vec<u8>, Session>,
    /// Keys that were offered, and answers to them.
    pub offers: usize,
    pub steps: usize,
}

#[derive(Default)]
struct Session {
    /// What each chain carries, by its ratchet key.
    chains: HashMap<Vec<u8>, Vec<u8>>,
    /// Whose key waits for an answer.
    under_way: Option<usize>,
}

impl Ledger {
    /// Notes a message, and asserts that turns alternate as the document claims: what a chain
    /// carries is the same in all of its messages, a key is answered by the very next chain of the
    /// session, and nothing else is.
    pub fn sent(&mut self, side: usize, envelope: &[u8]) {
        let session = self.sessions.entry(envelope[68..84].to_vec()).or_default();
        let (flags, initiation) = (envelope[3], envelope[0] == 0x11);
        let carried = if initiation { &[] } else { &envelope[253..header_length(envelope)] };
        if let Some(first) = session.chains.get(&envelope[164..229]) {
            assert_eq!(first, carried, "a chain carries two things");
            return;
        }
        session.chains.insert(envelope[164..229].to_vec(), carried.to_vec());
        let answers = flags == 2;
        assert_eq!(session.under_way, answers.then_some(1 - side), "out of turn");
        self.steps += usize::from(answers);
        self.offers += usize::from(flags == 1);
        session.under_way = (flags == 1).then_some(side);
    }
}
