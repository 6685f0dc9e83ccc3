//! Paid platforms with recipients, payers, and a chat of every payer with every recipient.

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use plasma_proto::billing::v1::AcceptedPrice;
use plasma_testkit::platform::{amount, time_pass};
use plasma_testkit::{Node, NodeBuilder, Onboarding, Platform};
use tonic::transport::Channel;

use super::database::Database;
use super::{PRICE, Scene, progress};
use crate::enrollment::{Enrolled, enroll_users};
use crate::figures::stage;

/// The shortest pass that can be sold: each chat is paid for again and again.
pub const PASS_SECONDS: i64 = 1;
/// Shares, in basis points.
const OPERATOR_SHARE: u32 = 1_000;
const RECIPIENT_SHARE: u32 = 8_000;
const WALLET: i64 = 1_000_000_000_000;
const AT_A_TIME: usize = 8;

/// A chat that can be paid for.
#[derive(Debug, Clone)]
pub struct Chat {
    /// Place of its payer.
    pub payer: usize,
    /// Its id, `chat_…`.
    pub id: String,
}

/// The platforms and the node that serves them.
#[derive(Debug)]
pub struct Shop {
    builder: NodeBuilder,
    node: Node,
    sellers: Vec<Seller>,
    /// Who pays: the first of each seller, then the second of each, and so on.
    pub payers: Vec<Enrolled>,
    /// Every chat, by its recipient's place within a platform and within that by payer.
    pub chats: Vec<Chat>,
}

/// One platform.
#[derive(Debug)]
struct Seller {
    accepted: AcceptedPrice,
    payers: Vec<Enrolled>,
    /// By recipient, the ids of the chats by payer.
    chats: Vec<Vec<String>>,
}

impl Shop {
    /// Starts a node and opens the platforms on it. Every chat has been paid for once.
    pub async fn open(database: &Database, scene: Scene) -> Result<Self> {
        let builder = stage::node().database_url(&database.url);
        let node = builder.start().await?;
        let said = format!(
            "enrolling {} recipients and {} payers of {} platforms, opening {} paid chats",
            scene.recipients * scene.sellers,
            scene.accounts(),
            scene.sellers,
            scene.recipients * scene.accounts()
        );
        progress(scene.name, said);
        let channel = node.channel()?;
        let opening = (0..scene.sellers).map(|_| open_seller(&channel, &node, scene));
        let sellers: Vec<Seller> = stream::iter(opening).buffered(2).try_collect().await?;
        let payers = (0..scene.payers).flat_map(|place| {
            sellers.iter().map(move |seller: &Seller| seller.payers[place].clone())
        });
        let payers = payers.collect();
        let mut chats = Vec::new();
        for recipient in 0..scene.recipients {
            for payer in 0..scene.accounts() {
                let (seller, place) = (payer % scene.sellers, payer / scene.sellers);
                chats.push(Chat { payer, id: sellers[seller].chats[recipient][place].clone() });
            }
        }
        Ok(Self { builder, node, sellers, payers, chats })
    }

    /// The price in force for a chat.
    pub fn accepted(&self, chat: &Chat) -> &AcceptedPrice {
        &self.sellers[chat.payer % self.sellers.len()].accepted
    }

    /// The node.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Starts one more node on the same database.
    pub async fn start_another_node(&self) -> Result<Node> {
        self.builder.start().await
    }

    /// A connection of its own to the node.
    pub fn channel(&self) -> Result<Channel> {
        self.node.channel()
    }
}

async fn open_seller(channel: &Channel, node: &Node, scene: Scene) -> Result<Seller> {
    let onboarding = Onboarding::paid("Bench", OPERATOR_SHARE);
    let platform = Platform::onboard(channel.clone(), node.operator_key(), &onboarding).await?;
    let price = time_pass(amount("EUR", PRICE), PASS_SECONDS);
    let price = platform.publish_price(price, None, RECIPIENT_SHARE).await?;
    let accepted = AcceptedPrice {
        price_id: price.price_id,
        amount: Some(amount("EUR", PRICE)),
        trial: false,
    };
    let recipients = enroll_users(channel, &platform, scene.recipients).await?;
    let payers = enroll_users(channel, &platform, scene.payers).await?;
    for payer in &payers {
        let credited = platform.credit(&payer.user_id(), amount("EUR", WALLET)).await;
        credited.context("fill a wallet")?;
    }
    let mut chats = Vec::new();
    for recipient in &recipients {
        let link = recipient.create_link(channel).await?;
        chats.push(open_chats(channel, &payers, &link, &accepted).await?);
    }
    Ok(Seller { accepted, payers, chats })
}

async fn open_chats(
    channel: &Channel,
    payers: &[Enrolled],
    link: &str,
    accepted: &AcceptedPrice,
) -> Result<Vec<String>> {
    let opening = payers.iter().map(|payer| payer.open_chat(channel, link, accepted.clone()));
    stream::iter(opening).buffered(AT_A_TIME).try_collect().await
}
