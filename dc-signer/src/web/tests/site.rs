//! The pages without a browser: requests in, answers out.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tempfile::TempDir;
use tower::ServiceExt;

use super::fleet;
use crate::access;
use crate::testing::Database;
use crate::web::{self, Web};
use dc_pki::clock;
use dc_store::registry::{Action, Device, State};

/// The pages over a fresh database with one device.
pub(super) struct Site {
    pub(super) database: Database,
    pub(super) router: Router,
    pub(super) device: Device,
    _data: TempDir,
}

/// An answer that was read to its end.
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) to: String,
    pub(super) cookie: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) text: String,
}

impl Site {
    pub(super) async fn new(external_id: &str) -> Self {
        let database = Database::sqlite().await;
        let now = clock::now().unwrap();
        fleet::operators(&database.store, now).await;
        let device = fleet::one(&database.store, external_id, now).await;
        let (gate, data) = access::testing::gate(database.store.clone()).await;
        let web = Web::new(gate).unwrap();
        Self {
            router: web::router(web),
            database,
            device,
            _data: data,
        }
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Page {
        Page::read(self.router.clone().oneshot(request).await.unwrap()).await
    }

    pub(super) async fn get(&self, path: &str, cookie: &str) -> Page {
        let request = Request::get(path).header("cookie", cookie);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(super) async fn post(&self, path: &str, cookie: &str, form: &str) -> Page {
        self.send(posted(path, cookie, form)).await
    }

    /// The cookie of a new session.
    pub(super) async fn signed_in(&self, token: &str) -> String {
        let page = self
            .post("/sign-in", "", &format!("token={token}&next=%2F"))
            .await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
        let cookie = page.cookie.unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    /// The token that the forms of a session have.
    pub(super) async fn form_token(&self, cookie: &str) -> String {
        let page = self.get("/", cookie).await.text;
        let after = page.split("name=\"form_token\" value=\"").nth(1).unwrap();
        after.split('"').next().unwrap().to_owned()
    }

    pub(super) fn address(&self, end: &str) -> String {
        format!("/devices/{}{end}", self.device.id)
    }

    pub(super) async fn state(&self) -> State {
        let device = fleet::by_id(&self.database.store, self.device.id).await;
        device.state
    }

    /// The acts in the audit log with what they were done to, as soon as an export that was read has its end there.
    pub(super) async fn records(&self) -> Vec<(Action, String)> {
        let count =
            |all: &[(Action, String)], wanted| all.iter().filter(|one| one.0 == wanted).count();
        loop {
            let records = self.database.store.audit_from(1, 1000).await.unwrap();
            let entries = records.into_iter().map(|record| record.entry);
            let all: Vec<_> = entries
                .map(|entry| (entry.action, entry.scope.unwrap_or_default()))
                .collect();
            if count(&all, Action::Export) == count(&all, Action::ExportEnd) {
                return all;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    pub(super) async fn end(self) {
        self.database.end().await;
    }
}

impl Page {
    pub(super) async fn read(response: Response<Body>) -> Self {
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            Some(value.to_str().unwrap().to_owned())
        };
        Self {
            status: response.status(),
            to: header("location").unwrap_or_default(),
            cookie: header("set-cookie"),
            headers: response
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect(),
            text: {
                let body = response.into_body().collect().await.unwrap().to_bytes();
                String::from_utf8(body.to_vec()).unwrap()
            },
        }
    }

    pub(super) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map_or("", |(_, value)| value)
    }
}

pub(super) fn posted(path: &str, cookie: &str, form: &str) -> Request<Body> {
    Request::post(path)
        .header("cookie", cookie)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
        .body(form.to_owned().into())
        .unwrap()
}
