//! How long pages of a hundred thousand devices take, on both databases:
//!
//! ```sh
//! cargo test --workspace --lib a_hundred_thousand -- --ignored --nocapture
//! ```

use std::time::Instant;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use sqlx::{Connection, PgConnection};
use tower::ServiceExt;

use super::fleet::{self, TOKEN};
use super::site::{Page, posted};
use crate::access;
use crate::testing::Database;
use crate::web::{self, Web};
use dc_pki::clock;
use dc_store::Location;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute, and measures"]
async fn a_hundred_thousand_devices_in_a_file() {
    measure("SQLite", Database::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute, and measures"]
async fn a_hundred_thousand_devices_on_a_server() {
    if let Some(database) = Database::postgres().await {
        measure("PostgreSQL", database).await;
    }
}

async fn measure(what: &str, database: Database) {
    let now = clock::now().unwrap();
    fleet::operators(&database.store, now).await;
    let [key, name] = fleet::hundred_thousand(&database, now).await;
    let (gate, _data) = access::testing::gate(database.store.clone()).await;
    let router = web::router(Web::new(gate).unwrap());
    let send = async |request: Request<Body>| {
        Page::read(router.clone().oneshot(request).await.unwrap()).await
    };
    let page = send(posted("/sign-in", "", &format!("token={TOKEN}&next=%2F"))).await;
    let cookie = page.cookie.unwrap().split(';').next().unwrap().to_owned();
    for path in [
        "/",
        "/devices",
        "/devices?after=customer-90000",
        "/devices?before=customer-90000",
        "/devices?q=CUSTOMER-55",
        &format!("/devices?q={key}"),
        &format!("/devices?q={}", &key[..12]),
        &format!("/devices?q={name}"),
        &format!("/devices?q={}", &name[..6]),
        "/devices?q=nobody",
        "/devices?state=active",
        "/devices?state=suspended",
        "/devices?state=preregistered&after=customer-50000",
        "/devices?ends=0",
        "/devices?ends=24",
        "/devices?ends=168",
        "/devices?ends=none",
        "/devices?zone=s07.lab.example.net&state=active&ends=24",
        "/devices?clone=1",
        "/devices?q=customer-9&state=suspended",
        "/devices/export?format=csv&q=customer-9",
        "/devices/export?format=csv",
        "/devices/export?format=ndjson",
    ] {
        let mut times = Vec::new();
        let mut bytes = 0;
        for _ in 0..3 {
            let began = Instant::now();
            let request = Request::get(path).header("cookie", &cookie);
            let page = send(request.body(Body::empty()).unwrap()).await;
            times.push(began.elapsed());
            let is_fine = [StatusCode::OK, StatusCode::SEE_OTHER].contains(&page.status);
            assert!(is_fine, "{path}: {}", page.text);
            bytes = page.text.len();
        }
        let least = times.iter().min().unwrap();
        println!(
            "{what} {path}: first {:?}, least {least:?}, {bytes} bytes",
            times[0]
        );
    }
    if let Location::Postgres(url) = &database.location {
        let mut connection = PgConnection::connect(url).await.unwrap();
        let sql = "SELECT relname::text, pg_relation_size(oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace \
                   AND pg_relation_size(oid) > 1000000 ORDER BY 1";
        let sizes: Vec<(String, i64)> = sqlx::query_as(sql)
            .fetch_all(&mut connection)
            .await
            .unwrap();
        println!("{what}: {sizes:?}");
    }
    database.end().await;
}
