//! A client that does not reach the signer gets the list of withdrawn names from its router.

use std::fs;
use std::time::SystemTime;

use dc_rustls::{ListPolicy, Withdrawals};
use dc_tests::{lister::Lister, vendor::provider};

use super::{Options, https::get, https::send, upstream::Upstream};
use crate::setup;

const ZONE: &str = "cpe.example.com";

#[tokio::test]
async fn a_list_from_the_router_is_verified_and_loaded_and_one_that_it_changed_is_not() {
    let Some(_) = setup::lab() else { return };
    let (vendor, upstream) = (setup::vendor(), Upstream::start());
    let device = vendor.enrol("router-withdrawn", "P-256", "named");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("withdrawn-names");
    let options = Options::new(&device.identity, &upstream).withdrawn(&file);
    let (router, root) = (options.start(), vendor.root());
    let path = format!("/v1/withdrawn/{ZONE}/compact");
    let asked = send(&router, &root, &device, "h2", get(&device, &path)).await;
    assert_eq!(asked.status(), 404);
    let lister = Lister::new();
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let mut list = lister.list(ZONE, 7, &["m7q.cpe.example.com"], now);
    fs::write(&file, &list).unwrap();
    let came = send(&router, &root, &device, "h2", get(&device, &path)).await;
    assert_eq!(came.status(), 200);
    let lists = Withdrawals::new(&provider()).unwrap();
    let lists = lists.zone(
        ZONE.try_into().unwrap(),
        [lister.key()],
        ListPolicy::Require,
    );
    assert_eq!(lists.load(came.body().to_vec()).unwrap().len(), 1);
    let mut again = get(&device, &path);
    let etag = came.headers()["etag"].clone();
    again.headers_mut().insert("if-none-match", etag);
    let again = send(&router, &root, &device, "http/1.1", again).await;
    assert_eq!((again.status().as_u16(), again.body().len()), (304, 0));
    let other = get(&device, "/v1/withdrawn/other.example.com/compact");
    let other = send(&router, &root, &device, "h2", other).await;
    assert_eq!(other.status(), 404);
    // The name, which the router would rather not have on the list.
    let name = list.len() - 2 - 96 - 1;
    list[name] ^= 1;
    // The agent writes another file, too.
    fs::remove_file(&file).unwrap();
    fs::write(&file, &list).unwrap();
    let forged = send(&router, &root, &device, "h2", get(&device, &path)).await;
    assert!(lists.load(forged.body().to_vec()).is_err());
}
