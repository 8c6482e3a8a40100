//! A zone whose delegation key is encrypted.

use std::process::Command;

use apparatus::Part;

use super::bench::{Bench, zone};
use super::device::Cpe;
use crate::authority::{Authority, Error};
use crate::config::Config;
use crate::testing::{Database, on_both};
use dc_pki::Forms;
use dc_pki::files::{self, Access, NewFile};

on_both! {
    a_key_stays_encrypted_in_the_data_folder_and_signs,
}

async fn a_key_stays_encrypted_in_the_data_folder_and_signs(database: &Database) {
    if !apparatus::have(Part::Tools) {
        return;
    }
    let settings = "[keys]\npassphrase = { file = 'word' }";
    let bench = Bench::empty(database, settings).await;
    bench.add_zone("cpe.example.com", Forms::Named).await;
    let folder = bench.vendor(&zone(), bench.now);
    let output = Command::new("openssl")
        .current_dir(&folder)
        .args(["pkcs8", "-topk8", "-in", "key.pem", "-out", "new.pem"])
        .args(["-passout", "pass:word"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    std::fs::rename(folder.join("new.pem"), folder.join("key.pem")).unwrap();
    let write = |word: &str| {
        let file = NewFile {
            name: "word",
            contents: word.as_bytes(),
            access: Access::Owner,
        };
        let base = bench.config.data.parent().unwrap();
        files::stage(base, &file).unwrap().replace().unwrap();
    };
    let by = bench.by(bench.now);
    let zone = zone();
    let import = || bench.authority.import_delegation(&zone, &folder, &by);
    let error = import().await.unwrap_err();
    assert!(
        matches!(error, Error::Pki(dc_pki::Error::Secret(_))),
        "{error}"
    );
    write("other");
    let error = import().await.unwrap_err();
    assert!(
        matches!(error, Error::Pki(dc_pki::Error::LockedKey { .. })),
        "{error}"
    );
    write("word\n");
    import().await.unwrap();
    bench.authority.rollover(&zone, false, &by).await.unwrap();
    let sha256 = bench.store.zones().await.unwrap()[0].delegations[0].certificate_sha256;
    let kept = bench
        .config
        .data
        .join("delegations")
        .join(sha256.to_string());
    let kept = std::fs::read_to_string(kept.join("key.pem")).unwrap();
    assert!(kept.starts_with("-----BEGIN ENCRYPTED"), "{kept}");
    let code = bench.add_with_code("customer-1").await.code.unwrap().code;
    let cpe = Cpe::new();
    cpe.enrol_with(&bench.authority, &code, bench.now)
        .await
        .unwrap();
    // After a start as well, and a start without the passphrase says what is missing, to strangers without paths.
    for (config, faults) in [
        (bench.config.clone(), None),
        (
            Config {
                keys: Default::default(),
                ..bench.config.clone()
            },
            Some("is encrypted, and not decrypted"),
        ),
    ] {
        let authority = Authority::open(&config, bench.store.clone()).await.unwrap();
        let status = authority.issuing_status(bench.now).await.unwrap();
        let said = status.faults().join("\n");
        match faults {
            Some(words) => assert!(said.contains(words) && !said.contains("key.pem"), "{said}"),
            None => assert_eq!(authority.missing().len(), 0, "{said}"),
        }
    }
}
