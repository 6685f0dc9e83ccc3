//! Group commit: what arrives while one transaction commits goes into the next. Under load many
//! sends share a commit; alone, a send waits for nobody.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use plasma_kit::ids::EnvelopeId;
use plasma_kit::{Env, StoreError, SystemDb};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::parcel::{DeviceKey, Parcel};
use crate::store::envelopes;

/// Sends or acknowledgements that may wait for the store; more are refused as `RESOURCE_EXHAUSTED`.
const QUEUE_MAX: usize = 4_096;
/// KiB of envelopes that may wait for the store.
const QUEUE_KIB_MAX: usize = 64 * 1_024;
/// How long an acknowledgement waits for a place in the queue.
const PLACE_WAIT_MAX: Duration = Duration::from_secs(2);
/// Most sends or acknowledgements of one batch.
const BATCH_MAX: usize = 256;
/// What an envelope takes beside its ciphertext.
const ROW_BYTES: usize = 512;
/// How long an acknowledgement that met no row is remembered: it may have overtaken the insert.
const TOMBSTONE_LIFETIME: Duration = Duration::from_mins(1);
const TOMBSTONES_MAX: u64 = 1_000_000;
/// How long a deleted envelope is remembered: longer than a statement takes at most that has read
/// its row just before.
const DELETED_LIFETIME: Duration = Duration::from_secs(15);
const DELETED_MAX: u64 = 500_000;

/// What became of an insert: the devices that are gone and got nothing.
type Inserted = Result<Arc<HashSet<DeviceKey>>, StoreError>;

struct Insert {
    parcels: Vec<Parcel>,
    done: oneshot::Sender<Inserted>,
    _room: OwnedSemaphorePermit,
}

struct Delete {
    envelopes: Vec<(DeviceKey, EnvelopeId)>,
    done: oneshot::Sender<Result<(), StoreError>>,
}

/// An acknowledged envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tombstone {
    /// Its row is about to be deleted.
    Dug,
    /// There was no row to delete: one that comes has been overtaken.
    Empty,
}

/// Writes envelopes to the store and deletes them from it, in batches.
#[derive(Debug, Clone)]
pub(crate) struct Batcher {
    inserts: mpsc::Sender<Insert>,
    deletes: mpsc::Sender<Delete>,
    tombstones: Cache<EnvelopeId, Tombstone>,
    gone: Cache<EnvelopeId, ()>,
    room: Arc<Semaphore>,
}

impl Batcher {
    /// Starts the two writers. They end when the last handle is dropped.
    pub(crate) fn start(db: SystemDb, env: Env) -> Self {
        let (inserts, insert_queue) = mpsc::channel(QUEUE_MAX);
        let (deletes, delete_queue) = mpsc::channel(QUEUE_MAX);
        let tombstones =
            Cache::builder().max_capacity(TOMBSTONES_MAX).time_to_live(TOMBSTONE_LIFETIME).build();
        tokio::spawn(run_inserts(insert_queue, db.clone(), env, tombstones.clone()));
        let gone =
            Cache::builder().max_capacity(DELETED_MAX).time_to_live(DELETED_LIFETIME).build();
        tokio::spawn(run_deletes(delete_queue, db, tombstones.clone(), gone.clone()));
        let room = Arc::new(Semaphore::new(QUEUE_KIB_MAX));
        Self { inserts, deletes, tombstones, gone, room }
    }

    /// Stores the envelopes of one send: all of them, or none. Gives back the devices that are gone
    /// and got nothing, those of other sends among them.
    pub(crate) async fn insert(&self, parcels: Vec<Parcel>) -> Inserted {
        let (done, result) = oneshot::channel();
        let room = Arc::clone(&self.room).try_acquire_many_owned(kib(&parcels));
        let room = room.map_err(|_| StoreError::Overloaded)?;
        let job = Insert { parcels, done, _room: room };
        self.inserts.try_send(job).map_err(|_| StoreError::Overloaded)?;
        result.await.map_err(|_| stopped())?
    }

    /// Deletes acknowledged envelopes. They are buried before: an insert that commits in between
    /// must find the tombstone.
    pub(crate) async fn delete(
        &self,
        envelopes: Vec<(DeviceKey, EnvelopeId)>,
    ) -> Result<(), StoreError> {
        let (done, result) = oneshot::channel();
        let job = Delete { envelopes, done };
        let queued = self.deletes.send_timeout(job, PLACE_WAIT_MAX).await;
        queued.map_err(|_| StoreError::Overloaded)?;
        result.await.map_err(|_| stopped())?
    }

    /// Notes that an envelope is acknowledged, before its row is deleted or even there.
    pub(crate) fn bury(&self, envelope: EnvelopeId) {
        self.tombstones.insert(envelope, Tombstone::Dug);
    }

    /// Whether the envelope is acknowledged: its row is about to go, or went while it was read.
    pub(crate) fn is_buried(&self, envelope: EnvelopeId) -> bool {
        self.tombstones.contains_key(&envelope) || self.gone.contains_key(&envelope)
    }

    /// Whether the envelope is acknowledged and its row not yet looked for.
    pub(crate) fn is_to_go(&self, envelope: EnvelopeId) -> bool {
        self.tombstones.get(&envelope) == Some(Tombstone::Dug)
    }

    /// Whether the envelope was acknowledged before its row was there, so that nobody deletes it.
    pub(crate) fn was_overtaken(&self, envelope: EnvelopeId) -> bool {
        self.tombstones.get(&envelope) == Some(Tombstone::Empty)
    }
}

/// What the envelopes of a send take of the queue; all of it at most.
fn kib(parcels: &[Parcel]) -> u32 {
    let bytes: usize = parcels.iter().map(|parcel| parcel.bytes() + ROW_BYTES).sum();
    u32::try_from(bytes.div_ceil(1_024).min(QUEUE_KIB_MAX)).unwrap_or(u32::MAX)
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the writer has stopped".to_owned())
}

async fn run_inserts(
    mut queue: mpsc::Receiver<Insert>,
    db: SystemDb,
    env: Env,
    tombstones: Cache<EnvelopeId, Tombstone>,
) {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let jobs = std::mem::take(&mut batch);
        let parcels: Vec<&Parcel> = jobs.iter().flat_map(|job| &job.parcels).collect();
        let result = envelopes::insert(&db, &parcels, env.now()).await.map(Arc::new);
        match result {
            Err(StoreError::Inconsistent(_) | StoreError::Rows { .. }) if jobs.len() > 1 => {
                insert_one_by_one(&db, &env, jobs, &tombstones).await;
            }
            result => {
                for job in jobs {
                    finish(&db, job, again(&result), &tombstones).await;
                }
            }
        }
    }
}

/// A bad row fails only its own send.
async fn insert_one_by_one(
    db: &SystemDb,
    env: &Env,
    jobs: Vec<Insert>,
    tombstones: &Cache<EnvelopeId, Tombstone>,
) {
    for job in jobs {
        let parcels: Vec<&Parcel> = job.parcels.iter().collect();
        let result = envelopes::insert(db, &parcels, env.now()).await.map(Arc::new);
        finish(db, job, result, tombstones).await;
    }
}

async fn finish(
    db: &SystemDb,
    job: Insert,
    result: Inserted,
    tombstones: &Cache<EnvelopeId, Tombstone>,
) {
    // An acknowledgement that overtook the insert found no row; the row is here now.
    let buried: Vec<_> = job
        .parcels
        .iter()
        .filter(|parcel| tombstones.contains_key(&parcel.envelope))
        .map(|parcel| (parcel.to, parcel.envelope))
        .collect();
    if result.is_ok()
        && !buried.is_empty()
        && let Err(error) = envelopes::delete(db, &buried).await
    {
        tracing::debug!(%error, "an acknowledged envelope stays until it is offered again");
    }
    // The send may have been cancelled meanwhile; what is stored stays stored.
    let _ = job.done.send(result);
}

async fn run_deletes(
    mut queue: mpsc::Receiver<Delete>,
    db: SystemDb,
    tombstones: Cache<EnvelopeId, Tombstone>,
    gone: Cache<EnvelopeId, ()>,
) {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let jobs = std::mem::take(&mut batch);
        let all: Vec<_> = jobs.iter().flat_map(|job| job.envelopes.iter().copied()).collect();
        let result = envelopes::delete(&db, &all).await;
        // Where it failed, whoever reads the row next deletes it, as one that came too late.
        let deleted: HashSet<&EnvelopeId> = result.iter().flatten().collect();
        for (_, envelope) in &all {
            if deleted.contains(envelope) {
                // In this order: there is no moment at which it is not buried.
                gone.insert(*envelope, ());
                tombstones.invalidate(envelope);
            } else {
                tombstones.insert(*envelope, Tombstone::Empty);
            }
        }
        let result = result.map(|_| ());
        for job in jobs {
            let _ = job.done.send(again(&result));
        }
    }
}

/// The same result for each of a batch.
fn again<T: Clone>(result: &Result<T, StoreError>) -> Result<T, StoreError> {
    match result {
        Ok(value) => Ok(value.clone()),
        Err(StoreError::Overloaded) => Err(StoreError::Overloaded),
        Err(StoreError::Unavailable(text)) => Err(StoreError::Unavailable(text.clone())),
        Err(StoreError::Conflict(text)) => Err(StoreError::Conflict(text.clone())),
        Err(StoreError::Rows { what, expected, actual }) => {
            Err(StoreError::Rows { what, expected: *expected, actual: *actual })
        }
        Err(StoreError::Inconsistent(text)) => Err(StoreError::Inconsistent(text.clone())),
    }
}
