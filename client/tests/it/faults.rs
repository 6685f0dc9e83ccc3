//! Nodes that are killed in the middle of work, and callers that race: nothing lost, nothing twice,
//! no charge without access and no access without a charge.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use plasma_client::{ContactLink, Device, Endpoint, Error, Store, accept};
use plasma_proto::billing::v1::statement_service_client::StatementServiceClient;
use plasma_proto::billing::v1::{
    AcceptedPrice, Charge, GetStatementRequest, ListChargesRequest, Pass,
};
use plasma_proto::error::v1::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::chat_service_client::ChatServiceClient;
use plasma_proto::messaging::v1::message_service_client::MessageServiceClient;
use plasma_testkit::platform::{amount, one_time_unlock};
use plasma_testkit::{Cluster, ClusterKind, Onboarding, Platform};
use tonic::transport::Channel;

use crate::world::{SOON, World, linked_in, open, texts};

const PRICE: i64 = 300;
/// How long work may go on while nodes die and come back.
const RECOVERY: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn a_node_killed_in_the_middle_of_sends_loses_nothing_and_shows_nothing_twice() -> Result<()>
{
    for kind in ClusterKind::BOTH {
        let mut world = World::start(kind).await?;
        let patient = |endpoint: Endpoint| endpoint.patience(RECOVERY);
        let ann = world.first_device("ann", &patient(world.endpoint(0))).await?;
        let bob = world.first_device("bob", &patient(world.endpoint(1))).await?;
        let chat = open(&ann, &bob.create_link().await?).await?;
        let _stream = bob.receive();

        let expected: Vec<String> = (0..150).map(|number| format!("message {number}")).collect();
        let sending = tokio::spawn({
            let (ann, expected) = (ann.clone(), expected.clone());
            async move {
                for text in &expected {
                    ann.send_text(chat, text).await?;
                }
                Ok::<(), Error>(())
            }
        });
        let mut kills = 0;
        while !sending.is_finished() && kills < 4 {
            tokio::time::sleep(Duration::from_millis(250)).await;
            let count = world.cluster.nodes().len();
            world.cluster.nodes_mut()[kills % count].restart().await?;
            kills += 1;
        }
        sending.await??;
        ensure!(kills >= 2, "only {kills} kills fell into the sends: nothing was shown");
        let begun = Instant::now();
        while texts(&bob, chat).len() < expected.len() && begun.elapsed() < RECOVERY {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(texts(&bob, chat), expected, "{kind:?} after {kills} kills");
        assert!(bob.undecryptable_reasons()?.is_empty(), "{kind:?}");
        // An acknowledgement whose node was killed is repeated by then or offered again.
        let begun = Instant::now();
        while waiting_for(&bob).await? > 0 {
            ensure!(begun.elapsed() < RECOVERY, "{kind:?}: not everything is acknowledged");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_retries_of_one_message_through_two_nodes_wait_as_one() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let world = World::start(kind).await?;
        let ann = world.first_device("ann", &world.endpoint(0)).await?;
        let elsewhere = world.cluster.node(1).channel()?;
        let bob = world.first_device("bob", &world.endpoint(1)).await?;
        let chat = open(&ann, &bob.create_link().await?).await?;
        let request = pb::SendRequest {
            chat_id: chat.to_string(),
            message_id: plasma_proto::id::format("msg", 7),
            peer_envelopes: vec![pb::DeviceEnvelope {
                device_id: plasma_proto::id::format("device", bob.address().device.as_u128()),
                ciphertext: vec![1; 1_024].into(),
            }],
            own_envelopes: Vec::new(),
            peer_manifest_hash: bob.own_account()?.manifest_hash().0.to_vec().into(),
            own_manifest_hash: ann.own_account()?.manifest_hash().0.to_vec().into(),
            ephemeral: false,
            envelope_class: pb::EnvelopeClass::Message.into(),
        };
        let sends = (0..32).map(|number| {
            let (ann, request, other) = (ann.clone(), request.clone(), elsewhere.clone());
            async move {
                let operation = move |own: Channel, request| {
                    let channel = if number % 2 == 0 { own } else { other.clone() };
                    async move { MessageServiceClient::new(channel).send(request).await }
                };
                ann.call(request, operation).await
            }
        });
        for answer in join_all(sends).await {
            let outcome = answer?.outcome.context("an outcome")?;
            assert!(matches!(outcome, pb::send_response::Outcome::Accepted(_)), "{outcome:?}");
        }
        assert_eq!(waiting_for(&bob).await?, 1, "{kind:?}: one message is one envelope");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_affords_half_buys_half_and_one_chat_is_paid_once() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let market = Market::open(kind, 64).await?;
        market.credit(32 * PRICE).await?;
        let racers = (0..64).map(|number| market.buy(number, number, format!("race-{number:04}")));
        let outcomes = join_all(racers).await;
        let bought = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(bought, 32, "{kind:?}");
        for refused in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            assert_eq!(refused.reason(), Some(ErrorReason::PaymentRequired), "{refused}");
        }
        market.books_add_up(32).await?;

        // Again for one chat that nobody has paid: one charge, and everybody gets the same answer.
        let unpaid = outcomes.iter().position(Result::is_err).context("an unpaid chat")?;
        market.credit(64 * PRICE).await?;
        let racers =
            (0..64).map(|number| market.buy(number, unpaid, format!("one-chat-{number:04}")));
        let passes: Vec<Pass> = join_all(racers).await.into_iter().collect::<Result<_, _>>()?;
        assert!(passes.iter().all(|pass| *pass == passes[0]), "{kind:?}: equal answers");
        market.books_add_up(33).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_killed_in_the_middle_of_purchases_leaves_charge_and_access_together() -> Result<()>
{
    for kind in ClusterKind::BOTH {
        let mut market = Market::open(kind, 48).await?;
        market.credit(24 * PRICE).await?;
        let killed = market.cluster.nodes().len();
        let mut settled: BTreeSet<usize> = BTreeSet::new();
        let mut refused: BTreeSet<usize> = BTreeSet::new();
        for round in 0..4 {
            let open: Vec<usize> = (0..48)
                .filter(|place| !settled.contains(place) && !refused.contains(place))
                .collect();
            // Retries carry the same request_id, as a client's would.
            let racers = open
                .iter()
                .map(|place| market.buy_once(place + round, *place, format!("buy-{place:04}")));
            let racing = join_all(racers);
            let outcomes = if round < 3 {
                let (pid, delay) = (market.cluster.node(round % killed).pid(), 15 + 25 * round);
                let assassin = async move {
                    tokio::time::sleep(Duration::from_millis(delay as u64)).await;
                    kill(pid)
                };
                let (outcomes, done) = tokio::join!(racing, assassin);
                done?;
                outcomes
            } else {
                racing.await
            };
            for (place, outcome) in open.into_iter().zip(outcomes) {
                match outcome {
                    Ok(_) => settled.insert(place),
                    Err(error) if error.reason() == Some(ErrorReason::PaymentRequired) => {
                        refused.insert(place)
                    }
                    Err(error) => {
                        ensure!(round < 3, "the last round met no fault, and yet: {error}");
                        false
                    }
                };
            }
            if round < 3 {
                market.cluster.nodes_mut()[round % killed].restart().await?;
            }
        }
        assert_eq!((settled.len(), refused.len()), (24, 24), "{kind:?}");
        market.books_add_up(24).await?;
        for (place, link) in market.links.iter().enumerate() {
            let paid = market.payers[0].resolve(link).await?.pass.is_some();
            assert_eq!(paid, settled.contains(&place), "{kind:?}: access exactly where charged");
        }
    }
    Ok(())
}

/// A paid platform: one payer with a device on each node, and recipients with links.
struct Market {
    cluster: Cluster,
    platform: Platform,
    payers: Vec<Device>,
    links: Vec<ContactLink>,
    accepted: AcceptedPrice,
}

impl Market {
    async fn open(kind: ClusterKind, recipients: usize) -> Result<Self> {
        let cluster = Cluster::start(kind).await?;
        let channel = cluster.node(0).channel()?;
        let onboarding = Onboarding::paid("Market", 1_000);
        let platform = Platform::onboard(channel, cluster.operator_key(), &onboarding).await?;
        let price = one_time_unlock(amount("EUR", PRICE));
        platform.publish_price(price, None, 8_000).await?;
        let id = plasma_proto::id::parse("tenant", platform.tenant_id());
        let tenant = plasma_client::Uuid::from_u128(id.context("a tenant id")?);
        let mut links = Vec::new();
        for number in 0..recipients {
            let endpoint = Endpoint::new(cluster.node(number).endpoint());
            let token = platform.user_token(&format!("recipient-{number}"))?;
            let store = Store::in_memory()?;
            let device = Device::register_first(&endpoint, store, tenant, &token).await?;
            links.push(device.create_link().await?);
        }
        // No patience: what a fault does is to be seen here.
        let endpoint =
            |node: usize| Endpoint::new(cluster.node(node).endpoint()).patience(Duration::ZERO);
        let token = platform.user_token("payer")?;
        let store = Store::in_memory()?;
        let first = Device::register_first(&endpoint(0), store, tenant, &token).await?;
        let store = Store::in_memory()?;
        let second = linked_in(&platform, "payer", &first, &endpoint(1), store).await?;
        let quote = first.resolve(&links[0]).await?.quote;
        let accepted = accept(&quote);
        Ok(Self { cluster, platform, payers: vec![first, second], links, accepted })
    }

    async fn credit(&self, units: i64) -> Result<()> {
        let user = self.platform.lookup("payer").await?;
        self.platform.credit(&user, amount("EUR", units)).await?;
        Ok(())
    }

    /// Buys access to a recipient's chat through the node of one of the payer's devices.
    async fn buy_once(&self, node: usize, place: usize, request_id: String) -> Result<Pass, Error> {
        let request = pb::OpenChatRequest {
            request_id,
            link_token: self.links[place].token().to_owned(),
            accepted_price: Some(self.accepted.clone()),
        };
        let operation = |channel: Channel, request| async move {
            ChatServiceClient::new(channel).open_chat(request).await
        };
        let answer = self.payers[node % self.payers.len()].call(request, operation).await?;
        Ok(answer.pass.expect("an opened chat has a pass"))
    }

    /// The same, trying again where a race asks for it.
    async fn buy(&self, node: usize, place: usize, request_id: String) -> Result<Pass, Error> {
        let begun = Instant::now();
        loop {
            match self.buy_once(node, place, request_id.clone()).await {
                Err(error) if error.is_transient() && begun.elapsed() < RECOVERY => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Checks the books from outside: so many charges, no more money gone than they say, postings
    /// that add up to nothing.
    async fn books_add_up(&self, charges: usize) -> Result<()> {
        let channel = self.cluster.node(0).channel()?;
        let request = ListChargesRequest { page_size: 200, page_token: String::new() };
        let listed: Vec<Charge> = StatementServiceClient::new(channel.clone())
            .list_charges(self.platform.admin(request)?)
            .await?
            .into_inner()
            .charges;
        assert_eq!(listed.len(), charges);
        let chats: BTreeSet<&str> = listed.iter().map(|charge| charge.chat_id.as_str()).collect();
        assert_eq!(chats.len(), charges, "no chat is paid twice");
        assert!(listed.iter().all(|charge| charge.amount_minor_units == PRICE));
        let request = GetStatementRequest {
            currency_code: "EUR".to_owned(),
            start_time: None,
            end_time: None,
        };
        let statement = StatementServiceClient::new(channel)
            .get_statement(self.platform.admin(request)?)
            .await?
            .into_inner();
        let closing: i64 = statement.lines.iter().map(|line| line.closing_minor_units).sum();
        assert_eq!(closing, 0);
        let user = self.platform.lookup("payer").await?;
        let wallet = self.platform.wallet(&user, "EUR").await?;
        let balance = wallet.balance.context("a balance")?.minor_units;
        assert!(balance >= 0);
        let paid = i64::try_from(charges)? * PRICE;
        let funding: i64 = statement
            .lines
            .iter()
            .filter(|line| line.purpose() == plasma_proto::billing::v1::AccountPurpose::Funding)
            .map(|line| line.closing_minor_units)
            .sum();
        assert_eq!(balance + paid, -funding, "what came in is held or charged");
        Ok(())
    }
}

/// How many envelopes wait for a device.
async fn waiting_for(device: &Device) -> Result<usize> {
    let begun = Instant::now();
    loop {
        let request = pb::PullRequest { page_size: 100, wait: None };
        let operation = |channel: Channel, request| async move {
            MessageServiceClient::new(channel).pull(request).await
        };
        let count = device.call(request, operation).await?.envelopes.len();
        if count <= 1 || begun.elapsed() > SOON {
            return Ok(count);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn kill(pid: u32) -> Result<()> {
    let status = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status()?;
    ensure!(status.success(), "kill -9 {pid} failed");
    Ok(())
}
