//! Sealed bytes: nothing that was not sealed under a label with a key is opened with it.
#![no_main]

use dc_pki::sealing::{Label, SealError, Sealed, SealingKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let key = SealingKey::from_hex(&[b'a'; 64]).expect("64 digits");
    let label = Label {
        what: "secret/names",
        tenant: "default",
        version: 1,
    };
    if let Ok(sealed) = Sealed::parse(input) {
        // A fuzzer does not find a tag of 128 bits.
        let tampered = matches!(key.open(&label, &sealed), Err(SealError::Tampered { .. }));
        assert!(tampered);
    }
    let sealed = key.seal(&label, input).expect("random numbers");
    let opened = key.open(&label, &Sealed::parse(&sealed).expect("just sealed"));
    assert_eq!(opened.expect("the same label").as_slice(), input);
    if let Some(at) = input.first().map(|at| usize::from(*at) % sealed.len()) {
        let mut changed = sealed;
        changed[at] ^= 1;
        if let Ok(changed) = Sealed::parse(&changed) {
            assert!(key.open(&label, &changed).is_err());
        }
    }
});
