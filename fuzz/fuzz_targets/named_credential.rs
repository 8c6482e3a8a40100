//! Credentials of the named form.
#![no_main]

use dc_core::{DelegatedCredential, Form, UniqueName};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    dc_fuzz::check_codec(Form::Named, input);
    let Ok(decoded) = DelegatedCredential::decode(Form::Named, input) else {
        return;
    };
    let name = decoded
        .credential()
        .unique_name
        .as_ref()
        .expect("the form has a name");
    assert_eq!(
        UniqueName::parse(name.as_str().as_bytes()).as_ref(),
        Ok(name)
    );
    // A name is what its signer may call a host, and nothing else.
    assert!(name.as_str().len() <= UniqueName::MAX_LEN);
    assert_eq!(name.as_str(), name.as_str().to_ascii_lowercase());
    assert!(name.as_str().parse::<std::net::IpAddr>().is_err());
    assert!(name.covered_by(name.as_str()));
    let wanted = pki_types::ServerName::try_from(name.as_str()).expect("a name is a DNS name");
    assert!(name.is(&wanted));
});
