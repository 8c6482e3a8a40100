//! Files with credentials in them.
#![no_main]

use dc_core::{DelegatedCredential, pem};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(found) = pem::read(input) else {
        return;
    };
    assert!(!found.is_empty());
    for stored in found {
        assert!(stored.bytes.len() <= input.len());
        assert!(DelegatedCredential::decode(stored.form, &stored.bytes).is_ok());
        let file = pem::write(stored.form, &stored.bytes);
        assert!(file.lines().all(|line| line.len() <= 64));
        let again = pem::read(file.as_bytes()).expect("just written");
        let [again] = &again[..] else {
            panic!("one was written");
        };
        assert_eq!((again.form, &again.bytes), (stored.form, &stored.bytes));
    }
});
