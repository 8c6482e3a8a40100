//! A new identity while clients are connected.

use std::{fs, os::unix::fs::symlink};

use super::{Options, client::Dot, upstream::Upstream};
use crate::setup;

#[tokio::test]
async fn a_renewal_is_served_to_new_clients_and_ends_no_connection() {
    let Some(_) = setup::lab() else { return };
    let (vendor, upstream) = (setup::vendor(), Upstream::start());
    let enrol = |folder, lifetime| {
        let options = ["--form", "named", "--lifetime", lifetime];
        vendor.enrol_for(folder, "router-renewed", "P-256", &options)
    };
    let (old, new) = (enrol("renewed-1", "100h"), enrol("renewed-2", "160h"));
    // As the agent does: a link that is swapped in one step.
    let current = setup::run().join("router-current");
    symlink(&old.identity, &current).unwrap();
    let router = Options::new(&current, &upstream).start();
    let root = vendor.root();
    let mut before = Dot::connect(&router, &root, &old.name).await.unwrap();
    assert_eq!(before.resolve("www.example.").await, "192.0.2.1 192.0.2.2");

    let mark = router.server.text().len();
    let next = current.with_extension("new");
    symlink(&new.identity, &next).unwrap();
    fs::rename(&next, &current).unwrap();
    assert!(router.server.says("serving a credential", mark));

    let mut after = Dot::connect(&router, &root, &new.name).await.unwrap();
    let gained = after.expires() - before.expires();
    assert!((59 * 3600..=61 * 3600).contains(&gained), "{gained}");
    assert_eq!(before.resolve("www.example.").await, "192.0.2.1 192.0.2.2");
    assert_eq!(after.resolve("www.example.").await, "192.0.2.1 192.0.2.2");
}

#[tokio::test]
async fn a_router_that_is_not_enrolled_waits_and_a_bad_renewal_leaves_the_old_one() {
    let Some(_) = setup::lab() else { return };
    let (vendor, upstream) = (setup::vendor(), Upstream::start());
    let device = vendor.enrol("router-late", "P-256", "named");
    let twin = vendor.enrol("router-late-twin", "P-256", "named");
    let current = setup::run().join("router-late-current");
    let router = Options::new(&current, &upstream).start();
    assert!(router.server.says("no credential to serve", 0));
    let root = vendor.root();
    assert!(Dot::connect(&router, &root, &device.name).await.is_err());

    symlink(&device.identity, &current).unwrap();
    assert!(
        router
            .server
            .says("serving a credential for router-late", 0)
    );
    Dot::connect(&router, &root, &device.name).await.unwrap();

    fs::copy(
        twin.identity.join("key.pem"),
        device.identity.join("key.pem"),
    )
    .unwrap();
    assert!(router.server.says("kept the old identity", 0));
    Dot::connect(&router, &root, &device.name).await.unwrap();
}
