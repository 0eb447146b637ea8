//! A service on a state of its own, and calls of its API, within a test's process.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header;
use housepipe_runtime::Document;
use secrecy::ExposeSecret;
use serde_json::Value;
use tempfile::TempDir;
use tower_service::Service as _;

use crate::{Role, Seal, Service, ServiceOptions, Store, StoreAddress, router};

/// The name of the admin's token.
pub(crate) const ADMIN: &str = "admin";

/// A service, and the token of an admin.
pub(crate) struct Scene {
    pub(crate) service: Arc<Service>,
    router: Router,
    token: String,
    /// The folder of the state.
    _folder: TempDir,
}

impl Scene {
    pub(crate) async fn new() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        let token = store.new_token(ADMIN, Role::Admin).await.unwrap().expose_secret().to_owned();
        let service = Arc::new(Service::start(store, ServiceOptions::default()).await.unwrap());
        Scene { router: router(Arc::clone(&service), Vec::new()), service, token, _folder: folder }
    }

    /// The store as it is once the service has ended.
    pub(crate) async fn ended(self) -> Store {
        self.service.end().await;
        let Scene { service, router, token: _, _folder: folder } = self;
        // The file is another's only once nothing of the service is left.
        drop(router);
        while Arc::strong_count(&service) > 1 {
            tokio::task::yield_now().await;
        }
        drop(service);
        let store = open(&folder).await;
        // What is open stays as it is, whatever becomes of its names.
        drop(folder);
        store
    }

    /// A token of another caller.
    pub(crate) async fn token(&self, name: &str, role: Role) -> String {
        self.service.store().new_token(name, role).await.unwrap().expose_secret().to_owned()
    }

    /// What the API would be sent; `as_whom` is a token, and empty for the admin's.
    pub(crate) fn request(
        &self,
        as_whom: &str,
        call: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Request {
        let (method, path) = call.split_once(' ').unwrap();
        let token = if as_whom.is_empty() { &self.token } else { as_whom };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        request.body(body).unwrap()
    }

    /// What the API answers, without having read its body.
    pub(crate) async fn answer(&self, request: Request) -> axum::response::Response {
        self.router.clone().call(request).await.unwrap()
    }

    /// The status of the answer, and its body as JSON.
    pub(crate) async fn call_as(
        &self,
        as_whom: &str,
        call: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> (u16, Value) {
        let response = self.answer(self.request(as_whom, call, headers, body)).await;
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// The same for the admin.
    pub(crate) async fn call(&self, call: &str, body: &Value) -> (u16, Value) {
        self.call_as("", call, &[], body).await
    }
}

async fn open(folder: &TempDir) -> Store {
    let seal = Seal::new(&"a key that is long enough for a test".into()).unwrap();
    Store::open(&StoreAddress::Sqlite(folder.path().join("state.db")), seal).await.unwrap()
}

/// A pipe file whose destination has these keys beside its address and its table.
pub(crate) fn pipe(destination: &str) -> Document {
    let text = format!(
        "name: clicks\n\
         source: {{ type: kafka, brokers: '127.0.0.1:1', topic: t }}\n\
         destination: {{ url: 'http://127.0.0.1:1', table: clicks, {destination} }}\n"
    );
    Document::parse(&text, "clicks").unwrap()
}
