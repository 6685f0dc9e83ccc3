//! One node's services over real gRPC, behind what stands for the auth layer.

use pb::access_service_server::AccessServiceServer;
use pb::clock_service_server::ClockServiceServer;
use pb::external_wallet_service_server::ExternalWalletServiceServer;
use pb::ledger_service_server::LedgerServiceServer;
use pb::payout_service_server::PayoutServiceServer;
use pb::pricing_service_server::PricingServiceServer;
use pb::statement_service_server::StatementServiceServer;
use pb::wallet_service_server::WalletServiceServer;
use plasma_billing::Billing;
use plasma_billing::service::{
    AccessService, ClockService, ExternalWalletService, LedgerService, PayoutService,
    PricingService, StatementService, WalletService,
};
use plasma_kit::Failure;
use plasma_kit::actor::{Actor, DeviceActor, KeyActor};
use plasma_kit::ids::{ApiKeyId, DeviceId, TenantId, UserId};
use plasma_proto::billing::v1 as pb;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Request, Status};
use uuid::Uuid;

/// Serves a node's billing, and connects to it.
pub(super) async fn serve(billing: Billing, stop: CancellationToken) -> Channel {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Server::builder()
        .add_service(AccessServiceServer::with_interceptor(
            AccessService::new(billing.clone()),
            authenticate,
        ))
        .add_service(PricingServiceServer::with_interceptor(
            PricingService::new(billing.clone()),
            authenticate,
        ))
        .add_service(WalletServiceServer::with_interceptor(
            WalletService::new(billing.clone()),
            authenticate,
        ))
        .add_service(ClockServiceServer::with_interceptor(
            ClockService::new(billing.clone()),
            authenticate,
        ))
        .add_service(ExternalWalletServiceServer::with_interceptor(
            ExternalWalletService::new(billing.clone()),
            authenticate,
        ))
        .add_service(StatementServiceServer::with_interceptor(
            StatementService::new(billing.clone()),
            authenticate,
        ))
        .add_service(PayoutServiceServer::with_interceptor(
            PayoutService::new(billing.clone()),
            authenticate,
        ))
        .add_service(LedgerServiceServer::with_interceptor(
            LedgerService::new(billing),
            authenticate,
        ));
    tokio::spawn(async move {
        let incoming = TcpIncoming::from(listener);
        router.serve_with_incoming_shutdown(incoming, stop.cancelled_owned()).await.unwrap();
    });
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

/// Stands for the auth layer: believes what the caller says it is.
fn authenticate(mut request: Request<()>) -> Result<Request<()>, Status> {
    let actor = request.metadata().get("x-actor").ok_or_else(Failure::unauthenticated)?;
    let words: Vec<&str> = actor.to_str().unwrap().split(' ').collect();
    let id = |index: usize| words[index].parse::<Uuid>().unwrap();
    let actor = match words[0] {
        "key" => Actor::Key(KeyActor {
            tenant: TenantId(id(1)),
            key: ApiKeyId(Uuid::from_u128(1)),
            admin: true,
            backend: true,
        }),
        "device" => Actor::Device(DeviceActor {
            tenant: TenantId(id(1)),
            user: UserId(id(2)),
            device: DeviceId(Uuid::from_u128(2)),
        }),
        other => panic!("{other}"),
    };
    request.extensions_mut().insert(actor);
    Ok(request)
}
