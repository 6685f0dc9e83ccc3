//! Who calls a node: a platform, or a user's device.

use pb::access_service_client::AccessServiceClient;
use pb::clock_service_client::ClockServiceClient;
use pb::external_wallet_service_client::ExternalWalletServiceClient;
use pb::ledger_service_client::LedgerServiceClient;
use pb::payout_service_client::PayoutServiceClient;
use pb::pricing_service_client::PricingServiceClient;
use pb::statement_service_client::StatementServiceClient;
use pb::wallet_service_client::WalletServiceClient;
use plasma_kit::ids::{ChatId, UserId};
use plasma_proto::billing::v1 as pb;
use tonic::metadata::MetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::{Node, credit, fresh, purchase};

type Authenticated = InterceptedService<Channel, Introduce>;

/// Says who is calling.
#[derive(Clone)]
pub struct Introduce(MetadataValue<tonic::metadata::Ascii>);

impl tonic::service::Interceptor for Introduce {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("x-actor", self.0.clone());
        Ok(request)
    }
}

/// A caller of every service at one node.
#[derive(Clone)]
pub struct Caller {
    pub access: AccessServiceClient<Authenticated>,
    pub pricing: PricingServiceClient<Authenticated>,
    pub external: ExternalWalletServiceClient<Authenticated>,
    pub wallet: WalletServiceClient<Authenticated>,
    pub statement: StatementServiceClient<Authenticated>,
    pub clock: ClockServiceClient<Authenticated>,
    pub payout: PayoutServiceClient<Authenticated>,
    pub ledger: LedgerServiceClient<Authenticated>,
}

impl Caller {
    pub(super) fn new(node: &Node, actor: &str) -> Self {
        let (channel, who) = (node.channel.clone(), Introduce(actor.parse().unwrap()));
        Self {
            access: AccessServiceClient::with_interceptor(channel.clone(), who.clone()),
            pricing: PricingServiceClient::with_interceptor(channel.clone(), who.clone()),
            wallet: WalletServiceClient::with_interceptor(channel.clone(), who.clone()),
            external: ExternalWalletServiceClient::with_interceptor(channel.clone(), who.clone()),
            statement: StatementServiceClient::with_interceptor(channel.clone(), who.clone()),
            clock: ClockServiceClient::with_interceptor(channel.clone(), who.clone()),
            payout: PayoutServiceClient::with_interceptor(channel.clone(), who.clone()),
            ledger: LedgerServiceClient::with_interceptor(channel, who),
        }
    }

    pub async fn credit(&self, user: UserId, code: &str, minor_units: i64) -> i64 {
        let request = credit(&fresh("credit"), user, code, minor_units);
        let response = self.wallet.clone().credit_wallet(request).await.unwrap().into_inner();
        response.wallet.unwrap().balance.unwrap().minor_units
    }

    pub async fn balance(&self, user: UserId, code: &str) -> i64 {
        let request =
            pb::GetWalletRequest { user_id: user.to_string(), currency_code: code.to_owned() };
        let response = self.wallet.clone().get_wallet(request).await.unwrap().into_inner();
        response.wallet.unwrap().balance.unwrap().minor_units
    }

    pub async fn publish(&self, request: pb::PublishPriceRequest) -> pb::Price {
        let response = self.pricing.clone().publish_price(request).await.unwrap();
        response.into_inner().price.unwrap()
    }

    pub async fn quote(&self, chat: ChatId) -> pb::Quote {
        let request = pb::GetQuoteRequest { chat_id: chat.to_string() };
        self.access.clone().get_quote(request).await.unwrap().into_inner().quote.unwrap()
    }

    pub async fn buy(&self, chat: ChatId, quote: &pb::Quote) -> Result<pb::Pass, Status> {
        let request = purchase(&fresh("buy"), chat, quote);
        let response = self.access.clone().purchase_access(request).await?;
        Ok(response.into_inner().pass.unwrap())
    }

    pub async fn statement(&self, code: &str) -> Vec<pb::StatementLine> {
        let request =
            pb::GetStatementRequest { currency_code: code.to_owned(), ..Default::default() };
        self.statement.clone().get_statement(request).await.unwrap().into_inner().lines
    }
}
