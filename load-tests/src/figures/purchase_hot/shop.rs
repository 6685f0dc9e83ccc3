//! A paid platform with recipients, payers, and a chat of every payer with every recipient.

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use plasma_proto::billing::v1::AcceptedPrice;
use plasma_testkit::platform::{amount, time_pass};
use plasma_testkit::{Node, Onboarding, Platform};
use tonic::transport::Channel;

use super::{Database, NAME, PRICE, RECIPIENTS, progress};
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

/// The platform and the node that serves it.
#[derive(Debug)]
pub struct Shop {
    node: Node,
    /// Who pays.
    pub payers: Vec<Enrolled>,
    /// Every chat, by recipient and within that by payer.
    pub chats: Vec<Chat>,
    /// The price in force.
    pub accepted: AcceptedPrice,
}

impl Shop {
    /// Starts a node and opens the platform on it. Every chat has been paid for once.
    pub async fn open(database: &Database, payers: usize) -> Result<Self> {
        let node = stage::node().database_url(&database.url).start().await?;
        let said = format!(
            "enrolling {RECIPIENTS} recipients and {payers} payers, opening {} paid chats",
            RECIPIENTS * payers
        );
        progress(NAME, said);
        let channel = node.channel()?;
        let onboarding = Onboarding::paid("Bench", OPERATOR_SHARE);
        let platform = Platform::onboard(channel.clone(), node.operator_key(), &onboarding).await?;
        let price = time_pass(amount("EUR", PRICE), PASS_SECONDS);
        let price = platform.publish_price(price, None, RECIPIENT_SHARE).await?;
        let accepted =
            AcceptedPrice { price_id: price.price_id, amount: Some(amount("EUR", PRICE)) };

        let recipients = enroll_users(&channel, &platform, RECIPIENTS).await?;
        let payers = enroll_users(&channel, &platform, payers).await?;
        for payer in &payers {
            let credited = platform.credit(&payer.user_id(), amount("EUR", WALLET)).await;
            credited.context("fill a wallet")?;
        }
        let mut chats = Vec::new();
        for recipient in &recipients {
            let link = recipient.create_link(&channel).await?;
            chats.extend(open_chats(&channel, &payers, &link, &accepted).await?);
        }
        Ok(Self { node, payers, chats, accepted })
    }

    /// The node's process id.
    pub fn node_pid(&self) -> u32 {
        self.node.pid()
    }

    /// A connection of its own to the node.
    pub fn channel(&self) -> Result<Channel> {
        self.node.channel()
    }
}

async fn open_chats(
    channel: &Channel,
    payers: &[Enrolled],
    link: &str,
    accepted: &AcceptedPrice,
) -> Result<Vec<Chat>> {
    let opening = payers.iter().enumerate().map(|(payer, enrolled)| async move {
        let id = enrolled.open_chat(channel, link, accepted.clone()).await?;
        anyhow::Ok(Chat { payer, id })
    });
    stream::iter(opening).buffered(AT_A_TIME).try_collect().await
}
