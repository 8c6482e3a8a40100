//! The page, as Firefox shows it.

use std::fs;

use super::{Options, client::Dot, upstream::Upstream};
use crate::{firefox, setup};

#[tokio::test(flavor = "multi_thread")]
async fn firefox_shows_the_page_with_a_credential() {
    let Some(_) = setup::lab() else { return };
    let (vendor, upstream) = (setup::vendor(), Upstream::start());
    let fine = vendor.enrol("router-page", "P-256", "both");
    let ends_soon = ["--form", "both", "--lifetime", "5h"];
    let at_risk = vendor.enrol_for("at-risk", "router-at-risk", "P-256", &ends_soon);
    let router = Options::new(&fine.identity, &upstream).start();
    let mut connected = Dot::connect(&router, &vendor.root(), &fine.name)
        .await
        .unwrap();
    connected.resolve("www.example.").await;
    let status = setup::run().join("router-status.json");
    let late = Options::new(&at_risk.identity, &upstream).status(&status);
    let late = late.start();
    let ends = Dot::connect(&late, &vendor.root(), &at_risk.name).await;
    fs::write(&status, agent_that_fails(ends.unwrap().expires())).unwrap();

    let pictures = setup::cache().join("router");
    let _ = fs::remove_dir_all(&pictures);
    fs::create_dir_all(&pictures).unwrap();
    let folder = pictures.display().to_string();
    let urls = [(&fine, router.https), (&at_risk, late.https)]
        .map(|(device, port)| format!("https://{}:{port}/", device.name));
    let root = vendor.root();
    let load = move || firefox::pages(&[&root], &["--pictures", &folder], &urls);
    let pages = tokio::task::spawn_blocking(load).await.unwrap();

    for (page, texts) in pages.iter().zip([
        [
            fine.name.as_str(),
            "Fine",
            "DNS over TLS",
            "a credential with the router's name",
            "This page came with a credential (RFC 9345).",
        ],
        [
            &at_risk.name,
            "At risk",
            "The credential ends in 4 h",
            "no route to the signer",
            "96 % passed",
        ],
    ]) {
        assert_eq!(page.delegated(), Some(true), "{page:?}");
        let body = page.body().unwrap();
        for text in texts {
            assert!(body.contains(text), "{text} in:\n{body}");
        }
    }
    for picture in ["1-desktop", "1-phone", "2-desktop", "2-phone"] {
        let file = pictures.join(picture).with_extension("png");
        let picture = fs::read(&file).unwrap();
        assert!(picture.starts_with(b"\x89PNG"), "{}", file.display());
    }
}

/// Firefox's own DNS client takes the router's credential, in the form that it knows.
#[test]
fn firefox_finds_names_over_https_with_a_credential() {
    let Some(_) = setup::lab() else { return };
    let (vendor, upstream) = (setup::vendor(), Upstream::start());
    let device = vendor.enrol("router-trr", "P-256", "both");
    let router = Options::new(&device.identity, &upstream).start();
    let doh = format!("https://{}:{}/dns-query", device.name, router.https);
    // A name of the certificate, which only the upstream knows.
    let url = format!("https://loopback.cpe.example.com:{}/", router.https);
    let pages = firefox::pages(&[&vendor.root()], &["--doh", &doh], &[url]);
    assert_eq!(pages[0].delegated(), Some(true), "{pages:?}");
    assert!(!upstream.asked("loopback.").is_empty());
    let body = pages[0].body().unwrap();
    for text in ["DNS over HTTPS", "a credential (RFC 9345)"] {
        assert!(body.contains(text), "{text} in:\n{body}");
    }
    assert!(!body.contains("a plain certificate"), "{body}");
}

/// What an agent writes that has not reached its signer for two days.
fn agent_that_fails(end: u64) -> String {
    const HOUR: u64 = 3600;
    serde_json::json!({
        "level": "at-risk",
        "reason": "no route to the signer",
        "identity": {"issued": end - 164 * HOUR, "expires": end, "renew_at": end - 72 * HOUR},
        "failures": 17,
        "next_attempt": end - 4 * HOUR,
        "clock": null,
    })
    .to_string()
}
