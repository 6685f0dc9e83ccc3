//! Faults of networks and overloaded servers, by chance or always: what a client of the contract must
//! stand without losing or making money.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tonic::Status;

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Fault {
    /// The request is lost.
    DropBefore,
    /// The request is applied and the answer is lost.
    DropAfter,
    /// The request is applied long after the client stopped waiting.
    Delay,
    /// The request is applied twice.
    Duplicate,
    /// The request is overtaken by the next one, or by none and is late.
    Reorder,
    /// The request is applied and answered with an error.
    ErrorAfter,
    /// Another amount is applied than was asked for.
    WrongAmount,
}

/// All faults.
pub const ALL: [Fault; 7] = [
    Fault::DropBefore,
    Fault::DropAfter,
    Fault::Delay,
    Fault::Duplicate,
    Fault::Reorder,
    Fault::ErrorAfter,
    Fault::WrongAmount,
];

/// What is to happen, and how often. Clones share it.
#[derive(Debug, Clone)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
    applied: Arc<Notify>,
}

#[derive(Debug)]
struct Plan {
    faults: Vec<Fault>,
    one_in: u64,
    delay: Duration,
    random: u64,
    met: u64,
}

impl Default for Faults {
    fn default() -> Self {
        let plan = Plan {
            faults: Vec::new(),
            one_in: 1,
            delay: Duration::from_secs(5),
            random: 1,
            met: 0,
        };
        Self { plan: Arc::new(Mutex::new(plan)), applied: Arc::new(Notify::new()) }
    }
}

impl Faults {
    /// Lets one of `faults` happen to one call in `one_in`, chosen from `seed`; none where there are
    /// none. `delay` is how late something is that is late.
    pub fn set(&self, faults: &[Fault], one_in: u64, delay: Duration, seed: u64) {
        let mut plan = self.plan();
        plan.faults = faults.to_vec();
        plan.one_in = one_in.max(1);
        plan.delay = delay;
        plan.random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    }

    /// Lets nothing happen any more.
    pub fn clear(&self) {
        self.plan().faults.clear();
    }

    /// How many faults have happened.
    pub fn met(&self) -> u64 {
        self.plan().met
    }

    /// Whether a fault happens to this call, and how late it is.
    pub(crate) fn draw(&self) -> (Option<Fault>, Duration) {
        let mut plan = self.plan();
        let delay = plan.delay;
        if plan.faults.is_empty() || !plan.next().is_multiple_of(plan.one_in) {
            return (None, delay);
        }
        let count = u64::try_from(plan.faults.len()).unwrap_or(1);
        let index = usize::try_from(plan.next() % count).unwrap_or_default();
        plan.met += 1;
        (Some(plan.faults[index]), delay)
    }

    /// Applies a call under a fault that was drawn. The call goes on if the client leaves: that it is
    /// late and unheard is the point.
    pub(crate) async fn play<A: Send + 'static>(
        &self,
        (fault, delay): (Option<Fault>, Duration),
        apply: impl Fn() -> Result<A, Status> + Send + Sync + 'static,
    ) -> Result<A, Status> {
        let applied = Arc::clone(&self.applied);
        let apply = move || {
            let answer = apply();
            applied.notify_waiters();
            answer
        };
        match fault {
            None | Some(Fault::WrongAmount) => apply(),
            Some(Fault::DropBefore) => Err(Status::unavailable("lost on the way")),
            Some(Fault::DropAfter) => {
                drop(apply());
                tokio::time::sleep(delay).await;
                Err(Status::unavailable("lost on the way back"))
            }
            Some(Fault::Duplicate) => {
                drop(apply());
                apply()
            }
            Some(Fault::ErrorAfter) => {
                drop(apply());
                Err(Status::internal("an error after the work was done"))
            }
            Some(Fault::Delay) => {
                let late = tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    apply()
                });
                late.await.unwrap_or_else(|_| Err(Status::internal("the call ended")))
            }
            Some(Fault::Reorder) => {
                let others = Arc::clone(&self.applied);
                let overtaken = tokio::spawn(async move {
                    let _ = tokio::time::timeout(delay, others.notified()).await;
                    apply()
                });
                overtaken.await.unwrap_or_else(|_| Err(Status::internal("the call ended")))
            }
        }
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    /// The next number of a small generator (xorshift64*), which needs no more than to be repeatable.
    fn next(&mut self) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }
}
