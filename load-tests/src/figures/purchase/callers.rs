//! Concurrent callers, each buying access to one chat after another.

use std::cell::Cell;
use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use plasma_proto::billing::v1::PurchaseAccessRequest;
use plasma_proto::billing::v1::access_service_client::AccessServiceClient;
use plasma_testkit::secret;
use tokio::time::{Instant, sleep_until};
use tonic::transport::Channel;

use super::Work;
use super::shop::{Chat, PASS_SECONDS, Shop};

/// A pass begins a little before its answer arrives; the margin is for clocks.
pub const PASS: Duration = Duration::from_millis(PASS_SECONDS.unsigned_abs() * 1_000 + 50);

/// All callers.
#[derive(Debug)]
pub struct Callers<'a> {
    callers: Vec<Caller<'a>>,
    waited: u64,
}

/// One caller, with a connection and chats of its own.
#[derive(Debug)]
struct Caller<'a> {
    client: AccessServiceClient<Channel>,
    shop: &'a Shop,
    /// Each with the moment at which its last pass has ended.
    chats: Vec<(&'a Chat, Instant)>,
    next: usize,
    passes: HashSet<String>,
}

/// What the callers of one run share.
#[derive(Debug, Default)]
struct Counts {
    bought: Cell<u32>,
    waited: Cell<u64>,
}

impl<'a> Callers<'a> {
    /// Divides the payers among so many callers.
    pub fn of(shop: &'a Shop, count: usize) -> Result<Self> {
        let lapsed = Instant::now() + PASS;
        let callers = (0..count).map(|place| {
            let own = shop.chats.iter().filter(|chat| chat.payer % count == place);
            Ok(Caller {
                client: AccessServiceClient::new(shop.channel()?),
                shop,
                chats: own.map(|chat| (chat, lapsed)).collect(),
                next: 0,
                passes: HashSet::new(),
            })
        });
        Ok(Self { callers: callers.collect::<Result<_>>()?, waited: 0 })
    }

    /// Buys for a while, and counts what was bought in the window after the warm-up.
    pub async fn run(&mut self, warm_up: Duration, window: Duration) -> Result<Work> {
        let counts = Counts::default();
        let end = Instant::now() + warm_up + window;
        let buying = self.callers.iter_mut().map(|caller| caller.buy_until(end, &counts));
        let counting = async {
            tokio::time::sleep(warm_up).await;
            let (before, began) = (counts.bought.get(), Instant::now());
            sleep_until(end).await;
            Ok(f64::from(counts.bought.get() - before) / began.elapsed().as_secs_f64())
        };
        let (per_second, _) = tokio::try_join!(counting, futures::future::try_join_all(buying))?;
        self.waited += counts.waited.get();
        Ok(Work { per_second, done: counts.bought.get().into() })
    }

    /// Counts the purchases, since this was last asked, that had to wait for the chat's last pass
    /// to end: then there are too few chats for the speed.
    pub fn take_waited(&mut self) -> u64 {
        std::mem::take(&mut self.waited)
    }
}

impl Caller<'_> {
    async fn buy_until(&mut self, end: Instant, counts: &Counts) -> Result<()> {
        while Instant::now() < end {
            let place = self.next % self.chats.len();
            self.next += 1;
            let (chat, lapsed) = self.chats[place];
            if Instant::now() < lapsed {
                counts.waited.set(counts.waited.get() + 1);
                sleep_until(lapsed).await;
            }
            let pass = buy(&mut self.client, self.shop, chat).await?;
            self.chats[place].1 = Instant::now() + PASS;
            ensure!(self.passes.insert(pass), "a purchase answered with the pass of another");
            counts.bought.set(counts.bought.get() + 1);
        }
        Ok(())
    }
}

/// Buys; the id of the pass.
pub async fn buy(
    client: &mut AccessServiceClient<Channel>,
    shop: &Shop,
    chat: &Chat,
) -> Result<String> {
    let (payer, accepted) = (&shop.payers[chat.payer], shop.accepted(chat));
    let request = PurchaseAccessRequest {
        request_id: secret::request_id(),
        chat_id: chat.id.clone(),
        extend: false,
        accepted_price: Some(accepted.clone()),
    };
    let answer = client.purchase_access(payer.request(request)?).await;
    let pass = answer.context("PurchaseAccess")?.into_inner().pass.context("a pass")?;
    ensure!(!pass.charge_id.is_empty(), "a purchase charged nothing");
    Ok(pass.pass_id)
}
