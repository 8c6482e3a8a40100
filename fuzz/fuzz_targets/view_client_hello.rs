//! ClientHello on its way out of a client and into a server.
#![no_main]

use dc_rustls::fuzzing::{hellos_to_wire, insert_extensions, offer_to_rustls, offer_to_wire};
use libfuzzer_sys::fuzz_target;

const OFFER: &[u8] = &[0xff, 0x22, 0, 4, 0, 2, 4, 3, 0, 34, 0, 4, 0, 2, 8, 7];

fuzz_target!(|input: &[u8]| {
    let Some((&[mode, cut], input)) = input.split_first_chunk() else {
        return;
    };
    let hello = match mode % 2 {
        0 => input.to_vec(),
        _ => client_hello(input),
    };
    check_client(&hello, cut.into());
    check_server(&hello);
});

/// A hello whose extensions are anything.
fn client_hello(extensions: &[u8]) -> Vec<u8> {
    let extensions = &extensions[..extensions.len().min(0xff00)];
    let length = u16::try_from(extensions.len())
        .expect("cut above")
        .to_be_bytes();
    let head = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0], &length].concat();
    let body = [&head, extensions].concat();
    let length = u32::try_from(body.len()).expect("cut above").to_be_bytes();
    [&[1], &length[1..], &body].concat()
}

fn check_client(hello: &[u8], cut: usize) {
    let Some(wire) = insert_extensions(hello, OFFER) else {
        return;
    };
    assert_eq!(wire.len(), hello.len() + OFFER.len());
    assert_eq!(hellos_to_wire(hello, OFFER), wire);
    // What a binder covers is the beginning of what is sent.
    let kept = hello.len().saturating_sub(cut);
    if let Some(start) = insert_extensions(&hello[..kept], OFFER) {
        assert!(wire.starts_with(&start));
        assert_eq!(hellos_to_wire(&hello[..kept], OFFER), start);
    }
    // Behind another message, as after a HelloRetryRequest.
    let retry = [254, 0, 0, 1, 9];
    let both = hellos_to_wire(&[&retry, hello].concat(), OFFER);
    assert_eq!(both, [&retry[..], &wire].concat());
    // The server finds it there.
    let mut relabelled = wire.clone();
    if offer_to_rustls(&mut relabelled).is_ok() {
        offer_to_wire(&mut relabelled);
        assert_eq!(relabelled, wire);
    }
}

fn check_server(hello: &[u8]) {
    let mut relabelled = hello.to_vec();
    match offer_to_rustls(&mut relabelled) {
        Ok(Some(_)) => {
            assert_ne!(relabelled, hello);
            // Once is enough.
            let mut again = relabelled.clone();
            assert_ne!(offer_to_rustls(&mut again), Ok(None));
            assert_eq!(again, relabelled);
            offer_to_wire(&mut relabelled);
            assert_eq!(relabelled, hello);
        }
        Ok(None) => {
            assert_eq!(relabelled, hello);
            offer_to_wire(&mut relabelled);
            assert_eq!(relabelled, hello);
        }
        Err(()) => assert_eq!(relabelled, hello),
    }
}
