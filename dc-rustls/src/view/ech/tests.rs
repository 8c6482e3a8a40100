use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::view::bytes::put_vector;
use crate::view::testing::extension;

/// The body of a ClientHello with these extensions.
fn body(session_id: &[u8], extensions: &[u8]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([0x5a; RANDOM_LEN]);
    put_vector(&mut body, 1, session_id).expect("a short session ID");
    body.extend([0, 2, 0x13, 1, 1, 0]);
    put_vector(&mut body, 2, extensions).expect("short extensions");
    body
}

fn server_name(name: &[u8]) -> Vec<u8> {
    let mut entry = vec![0];
    put_vector(&mut entry, 2, name).expect("a short name");
    let mut list = Vec::new();
    put_vector(&mut list, 2, &entry).expect("a short name");
    extension(SERVER_NAME, &list)
}

/// An ECHClientHello of the type `outer`, with zeros.
fn outer_extension(payload_len: usize) -> Vec<u8> {
    let mut body = vec![OUTER, 0, 1, 0, 1, 9];
    put_vector(&mut body, 2, &[0xee; 32]).expect("a short secret");
    put_vector(&mut body, 2, &vec![0; payload_len]).expect("a short payload");
    extension(ENCRYPTED_CLIENT_HELLO, &body)
}

/// What RFC 9849 §6.1.3 recommends, with the names of its variables.
fn recommended(hello: usize, d: Option<usize>, maximum_name_length: u8) -> usize {
    let l = match maximum_name_length {
        0 => 255,
        l => usize::from(l),
    };
    let named = match d {
        Some(d) => hello + l.saturating_sub(d),
        None => hello + l + 9,
    };
    let n = 31 - ((named - 1) % 32);
    named + n
}

/// What rustls gives to a sealer for a hello with these extensions and a name in front of them.
fn rustls(name: Option<&[u8]>, others: &[u8], maximum_name_length: u8) -> Sealable {
    let block = [name.map(server_name).unwrap_or_default(), others.to_vec()].concat();
    let mut plaintext = body(&[], &block);
    let padded = recommended(plaintext.len(), name.map(<[u8]>::len), maximum_name_length);
    plaintext.resize(padded, 0);
    let outer = [
        server_name(b"public.example.com"),
        outer_extension(padded + TAG_LEN),
        others.to_vec(),
    ];
    Sealable {
        additional: body(&[7; 32], &outer.concat()),
        plaintext,
    }
}

/// The same with an extension in front of both, as RFC 9849 has it.
fn wire(name: Option<&[u8]>, own: &[u8], others: &[u8], maximum_name_length: u8) -> Sealable {
    let name_extension = name.map(server_name).unwrap_or_default();
    let mut plaintext = body(&[], &[own, &name_extension, others].concat());
    let padded = recommended(plaintext.len(), name.map(<[u8]>::len), maximum_name_length);
    plaintext.resize(padded, 0);
    let outer = [
        own.to_vec(),
        server_name(b"public.example.com"),
        outer_extension(padded + TAG_LEN),
        others.to_vec(),
    ];
    Sealable {
        additional: body(&[7; 32], &outer.concat()),
        plaintext,
    }
}

fn info(contents: &[u8]) -> Vec<u8> {
    let mut info = b"tls ech\0\xfe\x0d".to_vec();
    put_vector(&mut info, 2, contents).expect("a short configuration");
    info
}

fn own() -> Vec<u8> {
    extension(34, &[0, 2, 4, 3])
}

#[test]
fn both_hellos_begin_with_the_offer_and_the_padding_is_as_recommended() {
    let others = extension(43, &[2, 3, 4]);
    for name in [None, Some(&b"k3v.cpe.example.com"[..])] {
        for maximum in [0, 1, 18, 19, 64, 255] {
            let sealable = rustls(name, &others, maximum);
            let expected = wire(name, &own(), &others, maximum);
            assert_eq!(
                sealable_to_wire(&sealable, &own(), maximum),
                Some(expected),
                "{name:?}, {maximum}"
            );
        }
    }
}

#[test]
fn a_hello_that_rustls_does_not_make_is_not_sealed() {
    let sealable = rustls(Some(b"a.example"), &[], 0);
    assert!(sealable_to_wire(&sealable, &own(), 0).is_some());

    let mut padding = sealable.clone();
    *padding.plaintext.last_mut().expect("not empty") = 1;
    let cut = Sealable {
        plaintext: sealable.plaintext[..40].to_vec(),
        ..sealable.clone()
    };
    let without = Sealable {
        additional: body(&[], &server_name(b"public.example.com")),
        ..sealable.clone()
    };
    let inner_in_outer = Sealable {
        additional: body(&[], &extension(ENCRYPTED_CLIENT_HELLO, &[1])),
        ..sealable.clone()
    };
    let mut with_more = outer_extension(8);
    with_more[3] += 1;
    with_more.push(0);
    let more_in_outer = Sealable {
        additional: body(&[], &with_more),
        ..sealable.clone()
    };
    let cut_outer = Sealable {
        additional: body(&[], &outer_extension(8)[..20]),
        ..sealable.clone()
    };
    for wrong in [
        padding,
        cut,
        without,
        inner_in_outer,
        more_in_outer,
        cut_outer,
    ] {
        assert_eq!(sealable_to_wire(&wrong, &own(), 0), None, "{wrong:?}");
    }
    // rustls pads for another maximum than it says.
    assert_eq!(sealable_to_wire(&rustls(None, &[], 255), &own(), 1), None);
}

#[test]
fn nothing_is_sealed_where_a_length_would_overflow() {
    let plain = rustls(None, &[], 1);
    let sealed = sealable_to_wire(&plain, &own(), 1).expect("a short hello");
    let longer = sealed.additional.len() - plain.additional.len();
    let with_filler = |filler| Sealable {
        additional: body(
            &[],
            &[outer_extension(64), extension(21, &vec![0; filler])].concat(),
        ),
        ..plain.clone()
    };
    let most = 0xffff - longer - outer_extension(64).len() - extension(21, &[]).len();
    assert!(sealable_to_wire(&with_filler(most), &own(), 1).is_some());
    assert_eq!(sealable_to_wire(&with_filler(most + 1), &own(), 1), None);
}

#[test]
fn the_maximum_name_length_is_found_behind_keys_and_suites() {
    let contents = |maximum| {
        let mut contents = vec![9, 0, 0x20];
        put_vector(&mut contents, 2, &[0xcc; 32]).expect("a short key");
        put_vector(&mut contents, 2, &[0, 1, 0, 1]).expect("a short list");
        contents.push(maximum);
        put_vector(&mut contents, 1, b"public.example.com").expect("a short name");
        contents.extend([0, 0]);
        contents
    };
    for maximum in [0, 1, 255] {
        assert_eq!(
            maximum_name_length(&info(&contents(maximum))),
            Some(maximum)
        );
    }
    let whole = contents(64);
    for length in 0..whole.len() {
        let found = maximum_name_length(&info(&whole[..length]));
        assert_eq!(found, (length > 43).then_some(64), "{length}");
    }
    let mut other_version = info(&whole);
    other_version[9] = 0x0a;
    assert_eq!(maximum_name_length(&other_version), None);
    assert_eq!(maximum_name_length(b"tls ech"), None);
}

proptest! {
    #[test]
    fn any_hello_is_as_rfc_9849_has_it(
        name in proptest::option::of(vec(b'a'..=b'z', 1..250)),
        own in vec(any::<u8>(), 0..40),
        others in vec((60..70_u16, vec(any::<u8>(), 0..60)), 0..6),
        maximum in any::<u8>(),
    ) {
        let own = extension(34, &own);
        let others: Vec<u8> = others.iter().flat_map(|(kind, body)| extension(*kind, body)).collect();
        let name = name.as_deref();
        let sealed = sealable_to_wire(&rustls(name, &others, maximum), &own, maximum);
        let sealed = sealed.expect("what rustls makes");
        prop_assert_eq!(sealed.plaintext.len() % 32, 0);
        prop_assert_eq!(sealed, wire(name, &own, &others, maximum));
    }

    #[test]
    fn the_length_tells_nothing_of_the_name(
        (maximum, a, b) in (1..=255_u8).prop_flat_map(|max| (Just(max), 1..=usize::from(max), 1..=usize::from(max))),
        own in vec(any::<u8>(), 0..40),
        others in vec(any::<u8>(), 0..60),
    ) {
        let (own, others) = (extension(34, &own), extension(16, &others));
        let lengths = [a, b].map(|length| {
            let name = vec![b'x'; length];
            let sealable = rustls(Some(&name), &others, maximum);
            let sealed = sealable_to_wire(&sealable, &own, maximum).expect("what rustls makes");
            (sealed.plaintext.len(), sealed.additional.len())
        });
        prop_assert_eq!(lengths[0], lengths[1]);
    }

    #[test]
    fn any_bytes_are_sealed_or_not(
        additional in vec(any::<u8>(), 0..200),
        plaintext in vec(any::<u8>(), 0..200),
        cut in 0..600_usize,
        change in any::<(u16, u8)>(),
        maximum in any::<u8>(),
    ) {
        let _ = maximum_name_length(&additional);
        let _ = sealable_to_wire(&Sealable { additional, plaintext }, &own(), maximum);
        let mut near = rustls(Some(b"a.example"), &extension(43, &[2, 3, 4]), maximum);
        for bytes in [&mut near.additional, &mut near.plaintext] {
            let at = usize::from(change.0) % bytes.len();
            bytes[at] ^= change.1;
            bytes.truncate(cut);
        }
        let _ = sealable_to_wire(&near, &own(), maximum);
    }
}

/// Of all AEADs that rustls has for HPKE.
const TAG_LEN: usize = 16;
