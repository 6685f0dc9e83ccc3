//! The one port: gRPC, health, reflection and the landing page, and its graceful stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use plasma_billing::service::{
    AccessService, ClockService, ExternalWalletService, LedgerService, PayoutService,
    PricingService, StatementService, WalletService,
};
use plasma_messaging::service::{
    ChatService, DeviceLinkingService, DeviceService, KeyService, LinkService, MessageService,
    ReportService, SessionService,
};
use plasma_proto::billing::v1::access_service_server::AccessServiceServer;
use plasma_proto::billing::v1::clock_service_server::ClockServiceServer;
use plasma_proto::billing::v1::external_wallet_service_server::ExternalWalletServiceServer;
use plasma_proto::billing::v1::ledger_service_server::LedgerServiceServer;
use plasma_proto::billing::v1::payout_service_server::PayoutServiceServer;
use plasma_proto::billing::v1::pricing_service_server::PricingServiceServer;
use plasma_proto::billing::v1::statement_service_server::StatementServiceServer;
use plasma_proto::billing::v1::wallet_service_server::WalletServiceServer;
use plasma_proto::messaging::v1::chat_service_server::ChatServiceServer;
use plasma_proto::messaging::v1::device_linking_service_server::DeviceLinkingServiceServer;
use plasma_proto::messaging::v1::device_service_server::DeviceServiceServer;
use plasma_proto::messaging::v1::key_service_server::KeyServiceServer;
use plasma_proto::messaging::v1::link_service_server::LinkServiceServer;
use plasma_proto::messaging::v1::message_service_server::MessageServiceServer;
use plasma_proto::messaging::v1::report_service_server::ReportServiceServer;
use plasma_proto::messaging::v1::session_service_server::SessionServiceServer;
use plasma_proto::tenant::v1::api_key_service_server::ApiKeyServiceServer;
use plasma_proto::tenant::v1::identity_provider_service_server::IdentityProviderServiceServer;
use plasma_proto::tenant::v1::tenant_service_server::TenantServiceServer;
use plasma_proto::tenant::v1::user_service_server::UserServiceServer;
use plasma_tenant::service::{ApiKeyService, IdentityProviderService, TenantService, UserService};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::config::Config;
use crate::connections;
use crate::landing;
use crate::layers::admission::Admission;
use crate::layers::auth::{AuthLayer, Authenticator};
use crate::layers::conformance::ConformanceLayer;
use crate::node::Node;

/// A pull waits for 30 s at most; whatever takes longer than this is cut off.
const CALL_MAX: Duration = Duration::from_secs(35);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
const STREAMS_PER_CONNECTION_MAX: u32 = 1_024;
const HEADER_BYTES_MAX: u32 = 16 * 1024;
/// HTTP/2 resets that a client may leave pending (CVE-2023-44487).
const PENDING_RESETS_MAX: usize = 20;

/// Serves until SIGTERM or SIGINT, then drains.
pub async fn serve(config: &Config, node: Node) -> Result<()> {
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let address = listener.local_addr()?;
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_service_status("", ServingStatus::Serving).await;

    let mut routes = routes(&node, config);
    routes = routes.add_service(health_service);
    if config.reflection {
        let mut reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(plasma_proto::FILE_DESCRIPTOR_SET);
        for name in plasma_proto::offered_services() {
            reflection = reflection.with_service_name(name);
        }
        routes = routes.add_service(reflection.build_v1()?);
    }
    let authenticator = Authenticator::new(
        &node.operator_key,
        node.tenants.clone(),
        node.messaging.sessions().clone(),
        Admission::new(&node.limits, config.call_rates),
    );
    let incoming = TcpIncoming::from(listener)
        .with_nodelay(Some(true))
        .with_keepalive(Some(KEEPALIVE_INTERVAL))
        .with_keepalive_interval(Some(KEEPALIVE_TIMEOUT));
    let database_connections = config.database.connections_max;
    let connections_max = connections::make_room(config.connections_max, database_connections);
    let finish = CancellationToken::new();
    let server = Server::builder()
        .accept_http1(true)
        .timeout(CALL_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .layer(ConformanceLayer)
        .layer(AuthLayer(Arc::new(authenticator)))
        .add_routes(routes)
        .serve_with_incoming_shutdown(
            connections::bounded(incoming, connections_max),
            finish.clone().cancelled_owned(),
        );
    announce(config, address);
    run(server, config, &node, health, finish).await
}

async fn run(
    server: impl Future<Output = Result<(), tonic::transport::Error>>,
    config: &Config,
    node: &Node,
    health: HealthReporter,
    finish: CancellationToken,
) -> Result<()> {
    tokio::pin!(server);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        ended = &mut server => return ended.context("the server ended by itself"),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!(drain_seconds = config.drain.as_secs(), "stopping: draining");
    health.set_service_status("", ServingStatus::NotServing).await;
    node.messaging.delivery().drain().await;
    finish.cancel();
    if tokio::time::timeout(config.drain, &mut server).await.is_err() {
        tracing::warn!("calls were still under way at the deadline; stopping all the same");
    }
    node.stop.cancel();
    Ok(())
}

fn routes(node: &Node, config: &Config) -> Routes {
    let (tenants, billing, messaging) = (&node.tenants, &node.billing, &node.messaging);
    Routes::from(landing::routes(config.public_url.clone()))
        .add_service(TenantServiceServer::new(TenantService::new(tenants.clone())))
        .add_service(ApiKeyServiceServer::new(ApiKeyService::new(tenants.clone())))
        .add_service(IdentityProviderServiceServer::new(IdentityProviderService::new(
            tenants.clone(),
        )))
        .add_service(UserServiceServer::new(UserService::new(tenants.clone())))
        .add_service(PricingServiceServer::new(PricingService::new(billing.clone())))
        .add_service(WalletServiceServer::new(WalletService::new(billing.clone())))
        .add_service(ExternalWalletServiceServer::new(ExternalWalletService::new(billing.clone())))
        .add_service(AccessServiceServer::new(AccessService::new(billing.clone())))
        .add_service(StatementServiceServer::new(StatementService::new(billing.clone())))
        .add_service(ClockServiceServer::new(ClockService::new(billing.clone())))
        .add_service(PayoutServiceServer::new(PayoutService::new(billing.clone())))
        .add_service(LedgerServiceServer::new(LedgerService::new(billing.clone())))
        .add_service(SessionServiceServer::new(SessionService::new(messaging.clone())))
        .add_service(DeviceServiceServer::new(DeviceService::new(messaging.clone())))
        .add_service(DeviceLinkingServiceServer::new(DeviceLinkingService::new(messaging.clone())))
        .add_service(KeyServiceServer::new(KeyService::new(messaging.clone())))
        .add_service(LinkServiceServer::new(LinkService::new(messaging.clone())))
        .add_service(ChatServiceServer::new(ChatService::new(messaging.clone())))
        .add_service(MessageServiceServer::new(MessageService::new(messaging.clone())))
        .add_service(ReportServiceServer::new(ReportService::new(messaging.clone())))
}

fn announce(config: &Config, address: SocketAddr) {
    println!("plasma listens on http://{address}");
    if config.operator_key.is_none() {
        println!("operator key: {}", config.data_dir.join("operator.key").display());
    }
}
