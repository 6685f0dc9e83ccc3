//! A running service with two platforms that are alike to the last object, and people on them.

mod person;

use std::time::Duration;

use plasma_proto::billing::v1 as billing;
use plasma_proto::messaging::v1 as pb;
use plasma_testkit::platform::{amount, time_pass};
use plasma_testkit::{Cluster, ClusterKind, Onboarding, Platform, secret};
use prost::Message;

pub(crate) use person::{Gadget, Newcomer, Person, now, prekey, signed_challenge, written};

use crate::rows::{Database, hexadecimal};
use crate::wire::Wire;

/// What a chat with a user of a twin costs.
const PRICE: i64 = 500;
/// What a user who is to buy has.
const FUNDS: i64 = 100_000;

/// A service and its twins.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) wire: Wire,
    pub(crate) database: Database,
    pub(crate) a: Twin,
    pub(crate) b: Twin,
}

/// A platform and what is on it.
pub(crate) struct Twin {
    pub(crate) platform: Platform,
    /// Two devices, two paid chats, envelopes that wait.
    pub(crate) ann: Person,
    /// Two devices, two links, a chat with Ann.
    pub(crate) bob: Person,
    pub(crate) chat_id: String,
    /// Leads to Bob.
    pub(crate) link_token: String,
    pub(crate) price_id: String,
}

impl World {
    /// Starts a service and makes both twins, one closed to users of the other.
    pub(crate) async fn start(kind: ClusterKind) -> Self {
        let cluster = Cluster::builder(kind)
            // Resets that a platform allows at once are due at once.
            .env("PLASMA_ACCOUNT_RESET_DELAY_MIN", "0s")
            // One device makes thousands of calls here, and none of them may be refused for that.
            .unlimited_rates()
            .start()
            .await
            .unwrap();
        let wire = Wire::to(&cluster);
        let operator = cluster.operator_key().to_owned();
        let a = Twin::make(&wire, &operator, &Onboarding::paid("Twin", 1_000)).await;
        let b = Twin::make(&wire, &operator, &Onboarding::paid("Twin", 1_000)).await;
        let database = Database::of(&cluster);
        Self { cluster, wire, database, a, b }
    }

    /// A platform of nothing but its keys.
    pub(crate) async fn bare_platform(&self) -> Platform {
        let channel = self.wire.channel();
        let onboarding = Onboarding::free("Bare");
        Platform::onboard(channel, self.cluster.operator_key(), &onboarding).await.unwrap()
    }

    /// A platform whose clock can be moved.
    pub(crate) async fn sandbox(&self) -> Platform {
        let channel = self.wire.channel();
        let onboarding = Onboarding::paid("Sandbox", 1_000).sandbox();
        Platform::onboard(channel, self.cluster.operator_key(), &onboarding).await.unwrap()
    }

    /// A platform whose users' accounts can be reset without delay.
    pub(crate) async fn hasty_platform(&self) -> Platform {
        let channel = self.wire.channel();
        let onboarding = Onboarding::free("Hasty").account_reset_after(Duration::ZERO);
        Platform::onboard(channel, self.cluster.operator_key(), &onboarding).await.unwrap()
    }

    /// Fails where a node has ended, panicked, or logged an error.
    pub(crate) fn check_health(&self) {
        check_health(&self.cluster);
    }
}

/// Fails where a node has ended, panicked, or logged an error.
pub(crate) fn check_health(cluster: &Cluster) {
    for node in cluster.nodes() {
        let state = std::fs::read_to_string(format!("/proc/{}/stat", node.pid())).unwrap();
        assert!(!state.contains(") Z"), "node {} has ended", node.pid());
        let log = std::fs::read_to_string(node.log_path()).unwrap();
        let bad: Vec<&str> = log
            .lines()
            .filter(|line| line.contains("panicked") || line.contains("ERROR"))
            .collect();
        assert!(bad.is_empty(), "node {} logged: {bad:#?}", node.pid());
    }
}

impl Twin {
    pub(crate) async fn make(wire: &Wire, operator: &str, onboarding: &Onboarding) -> Self {
        let platform = Platform::onboard(wire.channel(), operator, onboarding).await.unwrap();
        let price = || time_pass(amount("EUR", PRICE), 24 * 60 * 60);
        platform.publish_price(price(), None, 7_000).await.unwrap();
        let price = platform.publish_price(price(), None, 8_000).await.unwrap();
        let mut ann = Person::of(wire, &platform).await;
        let mut bob = Person::of(wire, &platform).await;
        let carol = Person::of(wire, &platform).await;
        ann.add_device(wire).await;
        bob.add_device(wire).await;
        let funds = amount("EUR", FUNDS);
        platform.credit(&ann.user_id(), funds.clone()).await.unwrap();
        let link = create_link(wire, &bob).await;
        create_link(wire, &bob).await;
        let to_carol = create_link(wire, &carol).await;
        let chat_id = open_chat(wire, &ann, &token_of(&link)).await;
        open_chat(wire, &ann, &token_of(&to_carol)).await;
        let twin = Self {
            link_token: token_of(&link),
            price_id: price.price_id,
            platform,
            ann,
            bob,
            chat_id,
        };
        twin.send(wire, &twin.bob, &twin.ann).await;
        twin.send(wire, &twin.ann, &twin.bob).await;
        twin
    }

    /// The digits under which the database keeps the tenant.
    pub(crate) fn tenant(&self) -> String {
        tenant_digits(self.platform.tenant_id())
    }

    /// A new user with one device and money.
    pub(crate) async fn buyer(&self, wire: &Wire) -> Person {
        let person = Person::of(wire, &self.platform).await;
        self.platform.credit(&person.user_id(), amount("EUR", FUNDS)).await.unwrap();
        person
    }

    /// A new user and its chat with Bob, paid.
    pub(crate) async fn chatter(&self, wire: &Wire) -> (Person, String) {
        let person = self.buyer(wire).await;
        let chat = open_chat(wire, &person, &self.link_token).await;
        (person, chat)
    }

    /// A message of one of the two to the other, for every device that must have it.
    pub(crate) fn message(&self, from: &Person, to: &Person) -> pb::SendRequest {
        pb::SendRequest {
            chat_id: self.chat_id.clone(),
            message_id: fresh_id("msg"),
            peer_envelopes: to.devices.iter().map(|device| envelope(&device.device_id())).collect(),
            own_envelopes: from
                .devices
                .iter()
                .skip(1)
                .map(|device| envelope(&device.device_id()))
                .collect(),
            peer_manifest_hash: to.manifest_hash().into(),
            own_manifest_hash: from.manifest_hash().into(),
            ephemeral: false,
            envelope_class: pb::EnvelopeClass::Message.into(),
        }
    }

    async fn send(&self, wire: &Wire, from: &Person, to: &Person) {
        let method = "messaging.v1.MessageService/Send";
        let request = self.message(from, to);
        let answer: pb::SendResponse = wire.ask(method, Some(from.token()), &request).await;
        assert!(matches!(answer.outcome, Some(pb::send_response::Outcome::Accepted(_))));
    }
}

/// A ciphertext for a device.
pub(crate) fn envelope(device_id: &str) -> pb::DeviceEnvelope {
    let ciphertext = secret::bytes::<64>().to_vec().into();
    pb::DeviceEnvelope { device_id: device_id.to_owned(), ciphertext }
}

/// An id that nothing has.
pub(crate) fn fresh_id(prefix: &str) -> String {
    plasma_proto::id::format(prefix, u128::from_be_bytes(secret::bytes()) | 1)
}

/// The digits under which the database keeps a tenant.
pub(crate) fn tenant_digits(tenant_id: &str) -> String {
    let number = plasma_proto::id::parse("tenant", tenant_id).unwrap();
    hexadecimal(&number.to_be_bytes())
}

/// Makes a contact link.
pub(crate) async fn create_link(wire: &Wire, owner: &Person) -> pb::Link {
    let request = pb::CreateLinkRequest { request_id: secret::request_id() };
    let method = "messaging.v1.LinkService/CreateLink";
    let answer: pb::CreateLinkResponse = wire.ask(method, Some(owner.token()), &request).await;
    answer.link.unwrap()
}

/// The token of a link.
pub(crate) fn token_of(link: &pb::Link) -> String {
    link.url.rsplit_once("/c/").unwrap().1.to_owned()
}

/// Resolves a link.
pub(crate) async fn resolve(wire: &Wire, person: &Person, token: &str) -> pb::ResolveLinkResponse {
    let request = pb::ResolveLinkRequest { link_token: token.to_owned() };
    wire.ask("messaging.v1.LinkService/ResolveLink", Some(person.token()), &request).await
}

/// The request that opens a chat at the price in force.
pub(crate) async fn opening(wire: &Wire, person: &Person, token: &str) -> pb::OpenChatRequest {
    let quote = resolve(wire, person, token).await.quote.unwrap();
    pb::OpenChatRequest {
        request_id: secret::request_id(),
        link_token: token.to_owned(),
        accepted_price: Some(accepted(&quote)),
    }
}

/// The price of a quote, accepted.
pub(crate) fn accepted(quote: &billing::Quote) -> billing::AcceptedPrice {
    quote.accepted()
}

/// Opens a chat at the price in force; its id.
pub(crate) async fn open_chat(wire: &Wire, person: &Person, token: &str) -> String {
    let request = opening(wire, person, token).await;
    let method = "messaging.v1.ChatService/OpenChat";
    let answer: pb::OpenChatResponse = wire.ask(method, Some(person.token()), &request).await;
    assert!(answer.encoded_len() > 0 && answer.pass.is_some(), "a chat without a pass");
    answer.chat.unwrap().chat_id
}
