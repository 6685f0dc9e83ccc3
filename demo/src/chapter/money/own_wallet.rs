//! A platform keeps its users’ money itself, in a wallet that drops answers: nobody pays twice, and
//! nobody writes unpaid.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use plasma_client::{ChatId, ContactLink, Error, accept};
use plasma_proto::billing::v1::access_service_client::AccessServiceClient;
use plasma_proto::billing::v1::external_wallet_service_client::ExternalWalletServiceClient;
use plasma_proto::billing::v1::{
    ExternalOperation, ExternalOperationState, ListExternalOperationsRequest,
    PurchaseAccessRequest, SetWalletProviderRequest,
};
use plasma_proto::error::v1::ErrorReason;
use plasma_testkit::platform::{amount, time_pass};
use plasma_testkit::{Onboarding, Platform, secret};
use tonic::transport::Channel;

use super::reconciliation;
use super::wallet_process::WalletProcess;
use crate::chapter::contact::charges;
use crate::chapter::opening::Stage;
use crate::chapter::refusals::{NEW_PRICE, reason};
use crate::figure;
use crate::person::Person;
use crate::transcript::Transcript;

/// What a week costs, in cents.
const PRICE: i64 = 450;
const WEEK: i64 = 7 * 86_400;
/// The weeks that each buyer buys, one after the other.
const WEEKS: i64 = 3;
/// How long a purchase is tried again, and how long the books may take to come to rest.
const REST_MAX: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(100);

/// The platform with a wallet of its own.
#[derive(Debug)]
pub struct Kiosk {
    /// The platform.
    pub platform: Platform,
    /// A connection to the service.
    pub channel: Channel,
    /// Who buys and who is paid; the first one has money left for a chat elsewhere.
    pub people: Vec<Person>,
    /// The wallet.
    pub wallet: WalletProcess,
}

/// Tells the purchases, and what both books say afterwards.
pub async fn drops_answers(transcript: &mut Transcript, stage: &Stage) -> Result<Kiosk> {
    transcript.chapter("A wallet that drops answers");
    let (mut kiosk, link) = open(transcript, stage).await?;
    let mut bought = 0;
    for buyer in &kiosk.people[..2] {
        let chat = insist(|| buyer.open(&link)).await?.1.chat.id;
        for _ in 1..WEEKS {
            let request_id = secret::request_id();
            insist(|| another_week(buyer, chat, &request_id)).await?;
        }
        bought += WEEKS;
        transcript.step(&format!("{} has bought {WEEKS} weeks", buyer.name));
    }
    let poor = &kiosk.people[2];
    let refused = refused_at_last(poor, &link).await?;
    transcript.step(&format!("{} has a cent too little: {}", poor.name, reason(&refused)));
    kiosk.wallet.start(&[], &[]).await?;
    transcript.step("the wallet is started again, and answers from now on");
    let operations = kiosk.at_rest().await?;
    books_agree(transcript, &kiosk, &operations, bought).await?;
    let taken_of_poor = kiosk.wallet.book()?.taken_of(&kiosk.people[2].partner_id)?;
    // Where the wallet's own words were lost, the reserve was given up, and it says no more than that.
    let reasons = [Some(ErrorReason::PaymentRequired), Some(ErrorReason::PaymentDeclined)];
    transcript.check(
        "who cannot pay has no chat, and nothing is taken",
        taken_of_poor == 0 && reasons.contains(&refused.reason()),
        reason(&refused),
    );
    reconciliation::of_a_day(transcript, stage, &kiosk, &operations).await?;
    Ok(kiosk)
}

async fn open(transcript: &Transcript, stage: &Stage) -> Result<(Kiosk, ContactLink)> {
    let channel = stage.cluster.node(0).channel()?;
    let terms = Onboarding::paid("Kiosk Nord", 1_000).open_to_other_platforms();
    let platform = Platform::onboard(channel.clone(), stage.cluster.operator_key(), &terms).await?;
    platform.publish_price(time_pass(amount("EUR", PRICE), WEEK), None, 5_000).await?;
    let (mut people, folder) = (Vec::new(), stage.devices.path());
    for (node, name) in ["Ina", "Jon", "Kai", "Lea"].into_iter().enumerate() {
        people.push(Person::arrive(name, &platform, &stage.endpoint(node), folder).await?);
    }
    let link = people[3].phone().device.create_link().await?;
    let mut wallet = WalletProcess::new(folder)?;
    let money = [WEEKS * PRICE + NEW_PRICE, WEEKS * PRICE, PRICE - 1];
    let deposits: Vec<String> = people
        .iter()
        .zip(money)
        .map(|(person, units)| format!("{}:EUR:{units}", person.partner_id))
        .collect();
    wallet.start(&["drop-before", "drop-after"], &deposits).await?;
    let request = SetWalletProviderRequest {
        request_id: secret::request_id(),
        url: wallet.url(),
        bearer_secret: wallet.secret().to_owned(),
        concurrency_max: 0,
    };
    let mut client = ExternalWalletServiceClient::new(channel.clone());
    client.set_wallet_provider(platform.admin(request)?).await?;
    transcript.step("Kiosk Nord is onboarded, and keeps its users’ money in a wallet of its own");
    transcript.detail("wallet", format!("{} (process {})", wallet.url(), wallet.pid()?));
    transcript.detail("faults", "every other call, or its answer after it was applied, is lost");
    Ok((Kiosk { platform, channel, people, wallet }, link))
}

/// Tries again what the wallet did not answer, as a person does.
async fn insist<T, F: Future<Output = Result<T>>>(mut attempt: impl FnMut() -> F) -> Result<T> {
    let begun = Instant::now();
    loop {
        match attempt().await {
            Err(error) if unanswered(&error) && begun.elapsed() < REST_MAX => {
                tokio::time::sleep(LOOK).await;
            }
            other => return other,
        }
    }
}

fn unanswered(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Error>().is_some_and(Error::is_transient)
}

async fn another_week(buyer: &Person, chat: ChatId, request_id: &str) -> Result<()> {
    let device = &buyer.phone().device;
    let quote = device.quote(chat).await?.quote;
    let request = PurchaseAccessRequest {
        request_id: request_id.to_owned(),
        chat_id: chat.to_string(),
        accepted_price: Some(accept(&quote)),
        extend: true,
    };
    device
        .call(request, |channel, request| async move {
            AccessServiceClient::new(channel).purchase_access(request).await
        })
        .await?;
    Ok(())
}

async fn refused_at_last(poor: &Person, link: &ContactLink) -> Result<Error> {
    let refused = insist(|| poor.open(link)).await.err().context("a chat without money")?;
    refused.downcast::<Error>()
}

impl Kiosk {
    /// Waits until no operation is open; all of them, newest first.
    pub async fn at_rest(&self) -> Result<Vec<ExternalOperation>> {
        let begun = Instant::now();
        loop {
            let operations = self.operations().await?;
            if operations.iter().all(|operation| operation.close_time.is_some()) {
                return Ok(operations);
            }
            ensure!(begun.elapsed() < REST_MAX, "operations are open after {REST_MAX:?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn operations(&self) -> Result<Vec<ExternalOperation>> {
        let request = ListExternalOperationsRequest {
            open_only: false,
            page_size: 200,
            page_token: String::new(),
        };
        let mut client = ExternalWalletServiceClient::new(self.channel.clone());
        let answer = client.list_external_operations(self.platform.admin(request)?).await?;
        Ok(answer.into_inner().operations)
    }
}

async fn books_agree(
    transcript: &mut Transcript,
    kiosk: &Kiosk,
    operations: &[ExternalOperation],
    bought: i64,
) -> Result<()> {
    let lost: i64 = operations.iter().map(|operation| operation.failed_attempts).sum();
    transcript.check(
        "the control: the wallet did lose calls and answers",
        lost > 0,
        format!("{lost} calls in vain, {} operations", operations.len()),
    );
    let (book, captured) = (kiosk.wallet.book()?, taken(operations));
    let theirs = book.captured()?;
    let ours: BTreeMap<String, i64> = captured
        .iter()
        .map(|operation| (operation.operation_id.clone(), operation.captured_minor_units))
        .collect();
    transcript.check(
        "after it is quiet the wallet’s book and the service’s agree, and no money is held",
        theirs == ours && book.held()? == 0,
        format!("{} and {} payments", theirs.len(), captured.len()),
    );
    let paid_for: BTreeSet<&str> =
        captured.iter().map(|operation| &operation.reference[..]).collect();
    let charged = charges(&kiosk.platform, kiosk.channel.clone()).await?;
    let mut twice = paid_for.len() != captured.len();
    for buyer in &kiosk.people[..2] {
        twice |= book.taken_of(&buyer.partner_id)? != WEEKS * PRICE;
    }
    let count = i64::try_from(charged.len())?;
    transcript.check(
        "nobody paid twice, and nobody has access unpaid",
        !twice && count == bought && captured.len() == charged.len(),
        format!(
            "{bought} weeks, {count} charges, {} taken",
            figure::money("EUR", theirs.values().sum())
        ),
    );
    Ok(())
}

/// The operations that took money.
pub fn taken(operations: &[ExternalOperation]) -> Vec<&ExternalOperation> {
    let captured = ExternalOperationState::Captured;
    operations.iter().filter(|operation| operation.state() == captured).collect()
}
