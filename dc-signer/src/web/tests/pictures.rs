//! The pictures of the documentation: always of the same fleet at the same time, by a real browser.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pki_types::UnixTime;

use super::browser::{pictures_folder, serve, window};
use super::driver::{Browser, Window};
use super::fleet::{self, TOKEN};
use crate::access;
use crate::testing::Database;
use crate::web::Web;

/// 2026-11-30, in the morning.
const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_796_029_200));

/// A file, the window, the page, and words that are on it.
const PICTURES: [(&str, Window, &str, &[&str]); 4] = [
    (
        "fleet",
        window("laptop", 840, 420, false, false),
        "/",
        &["Counted 2026-11-30 09:00:00 UTC", "When credentials end"],
    ),
    (
        "devices",
        window("laptop-dark", 840, 580, false, true),
        "/devices?q=customer-1&state=active&ends=48#main",
        &["devices, by external id", "All of these as a file"],
    ),
    (
        "device",
        window("laptop", 840, 460, false, false),
        "/devices?q=customer-10777/1",
        &["Enrolment key (SHA-256)", "What was done"],
    ),
    (
        "phone",
        window("phone", 360, 640, true, false),
        "/devices?q=customer-1&ends=48#found",
        &["devices, by external id", "customer-1"],
    ),
];

/// With `UPDATE_PICTURES` in the environment it writes them. What is in a picture depends on the machine's fonts, so a picture is not
/// compared with the one before, but the page that it is of is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pictures_of_the_documentation_are_of_these_pages() {
    let database = Database::sqlite().await;
    fleet::many(&database.store, NOW).await;
    let (gate, _data) = access::testing::gate(database.store.clone()).await;
    let web = Web::with_clock(gate, || Ok(NOW)).unwrap();
    let (address, folder) = serve(web).await;
    let profile = folder.path().join("profile");
    let driven = tokio::task::spawn_blocking(move || {
        if let Some(browser) = Browser::start(&profile) {
            let site = format!("https://localhost:{}", address.port());
            take(&browser, &site);
        }
    });
    driven.await.unwrap();
    database.end().await;
    for (name, window, _, _) in PICTURES {
        let file = documented(name);
        let picture = std::fs::read(&file).unwrap_or_else(|_| panic!("no {}", file.display()));
        assert!(picture.len() <= 60_000, "{name}: {}", picture.len());
        assert_eq!(size(&picture), (window.width, window.height), "{name}");
    }
}

fn take(browser: &Browser, site: &str) {
    browser.open(&format!("{site}/sign-in"));
    browser.enter("#token", TOKEN);
    browser.click("main button");
    assert!(browser.wait(|| browser.url() == format!("{site}/")));
    browser.hide_scrollbars();
    for (name, window, path, words) in PICTURES {
        browser.become_window(window);
        browser.open(&format!("{site}{path}"));
        if name == "device" {
            browser.click("tbody a");
        }
        for words in words {
            let says = || browser.text().is_some_and(|text| text.contains(words));
            assert!(browser.wait(says), "{name}: not there: {words}");
        }
        let file = pictures_folder().join(format!("documented-{name}.png"));
        browser.window(&file);
        let picture = std::fs::read(&file).unwrap();
        assert_eq!(size(&picture), (window.width, window.height), "{name}");
        if std::env::var_os("UPDATE_PICTURES").is_some() {
            std::fs::create_dir_all(documented(name).parent().unwrap()).unwrap();
            std::fs::write(documented(name), picture).unwrap();
        }
    }
}

fn documented(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/pictures");
    Path::new(folder).join(format!("{name}.png"))
}

/// Width and height, as the head of a PNG has them.
fn size(picture: &[u8]) -> (u32, u32) {
    assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n") && &picture[12..16] == b"IHDR");
    let number = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}
