//! Logs and traces. Never a payload, a token or a partner's user id in either.

use std::io::IsTerminal;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// The spans of calls that carry messages, which are made at level DEBUG.
const MESSAGE_SPANS: &str = "plasma_api::layers::auth[rpc]=debug";

/// How to log and where to send traces.
#[derive(Debug, Clone)]
pub struct TelemetryConfig {
    /// A filter such as `info,plasma_messaging=debug`.
    pub filter: String,
    /// Whether a log line is JSON.
    pub json: bool,
    /// The OTLP collector's gRPC address, such as `http://localhost:4317`; none: no traces.
    pub otlp_endpoint: Option<String>,
}

/// Telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("the log filter is wrong: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The exporter refused its settings.
    #[error("the OTLP exporter cannot start: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// Telemetry is running already.
    #[error("telemetry is set up already: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Running telemetry; sends what is left when it is dropped.
#[derive(Debug)]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Starts logging to standard error, and tracing where a collector is named.
    pub fn start(config: &TelemetryConfig) -> Result<Self, TelemetryError> {
        let mut filter = EnvFilter::try_new(&config.filter)?;
        if config.otlp_endpoint.is_some() {
            // A collector gets the spans of messages as well, which nobody else pays for.
            filter = filter.add_directive(MESSAGE_SPANS.parse()?);
        }
        let format = tracing_subscriber::fmt::layer()
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr);
        let format = if config.json { format.json().boxed() } else { format.boxed() };
        let traces = config.otlp_endpoint.as_deref().map(exporter).transpose()?;
        let spans = traces
            .as_ref()
            .map(|traces| tracing_opentelemetry::layer().with_tracer(traces.tracer("plasma")));
        tracing_subscriber::registry().with(filter).with(spans).with(format).try_init()?;
        Ok(Self { traces })
    }
}

fn exporter(endpoint: &str) -> Result<SdkTracerProvider, opentelemetry_otlp::ExporterBuildError> {
    let exporter =
        opentelemetry_otlp::SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    let resource = Resource::builder().with_service_name("plasma").build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(traces) = self.traces.take() {
            // Nothing is left to tell it to when the process ends.
            let _ = traces.shutdown();
        }
    }
}
