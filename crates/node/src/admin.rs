//! The pages for operators, over plain HTTP: metrics, status, health. They only tell; whoever may
//! reach the port may read them.

use crate::limits;
use crate::start::StartError;
use crate::status::Observer;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::time::interval;

/// A port that is listened on.
pub(crate) struct Admin {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

/// Listens. Within the runtime that will serve.
pub(crate) fn bind(address: SocketAddr) -> Result<Admin, StartError> {
    let failed = |source| StartError::Admin { address, source };
    if !address.ip().is_loopback() {
        tracing::warn!("the admin pages on {address} are open to whoever can reach them");
    }
    let listener = std::net::TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let listener = TcpListener::from_std(listener).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Admin { listener, address })
}

/// What the pages are made from.
struct Pages {
    observer: Arc<Observer>,
    exporter: Option<PrometheusHandle>,
}

/// Serves until the runtime ends.
pub(crate) async fn serve(
    admin: Admin,
    observer: Arc<Observer>,
    exporter: Option<PrometheusHandle>,
) {
    if let Some(exporter) = exporter.clone() {
        tokio::spawn(upkeep(exporter));
    }
    let pages = axum::Router::new()
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .route("/health/live", get(async || "live\n"))
        .route("/health/ready", get(ready))
        .with_state(Arc::new(Pages { observer, exporter }));
    if let Err(error) = axum::serve(admin.listener, pages).await {
        tracing::error!("the admin pages are gone: {error}");
    }
}

async fn upkeep(exporter: PrometheusHandle) {
    let mut ticks = interval(limits::UPKEEP_EVERY);
    loop {
        ticks.tick().await;
        exporter.run_upkeep();
    }
}

async fn metrics(State(pages): State<Arc<Pages>>) -> Response {
    match &pages.exporter {
        Some(exporter) => {
            let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
            (kind, exporter.render()).into_response()
        }
        None => {
            let text = "this process keeps its metrics elsewhere\n";
            (StatusCode::NOT_FOUND, text).into_response()
        }
    }
}

async fn status(State(pages): State<Arc<Pages>>) -> Response {
    Json(pages.observer.status().await).into_response()
}

async fn ready(State(pages): State<Arc<Pages>>) -> Response {
    match pages.observer.readiness() {
        None => "ready\n".into_response(),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}
