//! The neighbours that this context asks: who vouches for users, and who sells access.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use plasma_kit::ids::{ChatId, Id, PassId, TenantId, UserId};
use plasma_kit::status::ErrorReason;
use plasma_kit::{Failure, Timestamp};
use plasma_messaging::ports::{Access, Counted, PassTerm, Purchase, Standing, Tenants, Terms};
use plasma_proto::billing::v1 as billing;
use tokio::sync::Barrier;

/// Platforms and users as a test sets them. A platform token is the user's id.
#[derive(Default)]
pub struct FakeTenants {
    terms: Mutex<HashMap<TenantId, Terms>>,
    standings: Mutex<HashMap<UserId, Standing>>,
    /// How often a standing was asked for.
    pub asked: AtomicUsize,
    /// Where set, the next question is answered as of now, waits here twice, and then returns.
    pub pause: Mutex<Option<std::sync::Arc<Barrier>>>,
}

impl FakeTenants {
    pub fn set_terms(&self, tenant: TenantId, change: impl FnOnce(&mut Terms)) {
        let mut terms = self.terms.lock();
        change(terms.entry(tenant).or_insert_with(usual));
    }

    pub fn set_standing(&self, user: UserId, standing: Standing) {
        self.standings.lock().insert(user, standing);
    }
}

fn usual() -> Terms {
    Terms {
        account_reset_delay: Duration::from_hours(7 * 24),
        display_name: "Fans".to_owned(),
        link_base_url: String::new(),
        allow_other_platforms: false,
        suspended: false,
        sandbox: false,
    }
}

#[async_trait]
impl Tenants for FakeTenants {
    async fn terms(&self, tenant: TenantId) -> Result<Option<Terms>, Failure> {
        Ok(Some(self.terms.lock().get(&tenant).cloned().unwrap_or_else(usual)))
    }

    async fn accept_platform_token(
        &self,
        _tenant: TenantId,
        token: &str,
    ) -> Result<UserId, Failure> {
        UserId::parse(token).ok_or_else(|| {
            let reason = ErrorReason::PlatformTokenInvalid;
            Failure::new(tonic::Code::Unauthenticated, reason, "refused")
        })
    }

    async fn standing(&self, _tenant: TenantId, user: UserId) -> Result<Standing, Failure> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let standing = self.standings.lock().get(&user).copied().unwrap_or(Standing::Active);
        let pause = self.pause.lock().take();
        if let Some(pause) = pause {
            pause.wait().await;
            pause.wait().await;
        }
        Ok(standing)
    }
}

/// Sells access at one price, charging wallets, as billing does: charge and pass together.
#[derive(Default)]
pub struct FakeAccess {
    books: Mutex<Books>,
}

/// Whose messages are paid for, and which.
struct Bundle {
    payer: (TenantId, UserId),
    left: usize,
    paid: HashSet<Counted>,
}

#[derive(Default)]
struct Books {
    price: i64,
    wallets: HashMap<UserId, i64>,
    passes: HashMap<ChatId, billing::Pass>,
    charges: usize,
    /// Messages that a purchase pays for; access alone where `None`.
    bundle: Option<usize>,
    counted: HashMap<ChatId, Bundle>,
    spend_calls: usize,
}

impl FakeAccess {
    pub fn set_price(&self, minor_units: i64) {
        self.books.lock().price = minor_units;
    }

    pub fn credit(&self, user: UserId, minor_units: i64) {
        *self.books.lock().wallets.entry(user).or_default() += minor_units;
    }

    pub fn charges(&self) -> usize {
        self.books.lock().charges
    }

    /// From now on a purchase pays for some messages; `None`: for all.
    pub fn sell_messages(&self, messages: Option<usize>) {
        self.books.lock().bundle = messages;
    }

    /// Puts something that counts no messages in the place of a chat's bundle.
    pub fn stop_counting(&self, chat: ChatId) {
        self.books.lock().counted.remove(&chat);
    }

    /// How often a unit was asked for.
    pub fn spend_calls(&self) -> usize {
        self.books.lock().spend_calls
    }

    pub fn expire_passes(&self) {
        self.books.lock().passes.clear();
    }
}

fn amount(minor_units: i64) -> billing::Amount {
    billing::Amount { currency_code: "EUR".to_owned(), minor_units }
}

#[async_trait]
impl Access for FakeAccess {
    async fn quote(
        &self,
        _payer: (TenantId, UserId),
        _recipient: (TenantId, UserId),
    ) -> Result<billing::Quote, Failure> {
        let price = billing::OneTimeUnlockPrice { amount: Some(amount(self.books.lock().price)) };
        Ok(billing::Quote {
            price_id: String::new(),
            terms: Some(billing::price_terms::Mode::OneTimeUnlock(price).into()),
        })
    }

    fn check_accepted(&self, _accepted: &billing::AcceptedPrice) -> Result<(), Failure> {
        Ok(())
    }

    async fn purchase(&self, purchase: Purchase) -> Result<billing::Pass, Failure> {
        // Another call may come in between, as it would with a real database.
        tokio::task::yield_now().await;
        let mut books = self.books.lock();
        if let Some(pass) = books.passes.get(&purchase.chat) {
            return Ok(pass.clone());
        }
        let price = books.price;
        let wallet = books.wallets.entry(purchase.payer.1).or_default();
        if *wallet < price {
            return Err(Failure::precondition(ErrorReason::PaymentRequired, "no money"));
        }
        *wallet -= price;
        books.charges += 1;
        let pass = billing::Pass {
            pass_id: PassId(purchase.chat.0).to_string(),
            chat_id: purchase.chat.to_string(),
            payer_tenant_id: purchase.payer.0.to_string(),
            payer_user_id: purchase.payer.1.to_string(),
            amount: Some(amount(price)),
            ..billing::Pass::default()
        };
        books.passes.insert(purchase.chat, pass.clone());
        if let Some(left) = books.bundle {
            let bundle = Bundle { payer: purchase.payer, left, paid: HashSet::new() };
            books.counted.insert(purchase.chat, bundle);
        }
        Ok(pass)
    }

    async fn active_pass(&self, chat: ChatId) -> Result<Option<billing::Pass>, Failure> {
        Ok(self.books.lock().passes.get(&chat).cloned())
    }

    async fn pass_term(&self, chat: ChatId) -> Result<Option<PassTerm>, Failure> {
        let books = self.books.lock();
        let counts = books.counted.get(&chat).map(|bundle| bundle.payer);
        let has_pass = books.passes.contains_key(&chat);
        Ok(has_pass.then_some(PassTerm { expires_at: None::<Timestamp>, counts }))
    }

    async fn spend(&self, message: Counted) -> Result<(), Failure> {
        let mut books = self.books.lock();
        books.spend_calls += 1;
        let bundle = books.counted.get_mut(&message.chat);
        let bundle = bundle.filter(|bundle| bundle.payer == message.sender);
        if let Some(bundle) = bundle {
            if bundle.paid.contains(&message) {
                return Ok(());
            }
            if bundle.left > 0 {
                bundle.left -= 1;
                bundle.paid.insert(message);
                return Ok(());
            }
        }
        Err(Failure::precondition(ErrorReason::AccessRequired, "all is spent"))
    }
}
