use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::view::testing::{extension, message};

/// A ClientHello with these extensions.
fn hello(session_id_len: u8, extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let block: Vec<u8> = extensions
        .iter()
        .flat_map(|(kind, body)| extension(*kind, body))
        .collect();
    let mut body = vec![3, 3];
    body.extend([0x5a; 32]);
    body.push(session_id_len);
    body.extend(vec![0xa5; usize::from(session_id_len)]);
    body.extend([0, 2, 0x13, 1, 1, 0]);
    put_length(&mut body, 2, block.len()).expect("short extensions");
    body.extend(block);
    message(1, &body)
}

fn list(schemes: &[u16]) -> Vec<u8> {
    let mut list = Vec::new();
    put_length(&mut list, 2, 2 * schemes.len()).expect("a short list");
    list.extend(schemes.iter().flat_map(|scheme| scheme.to_be_bytes()));
    list
}

fn offer(kinds: &[u16]) -> Vec<u8> {
    let extensions: Vec<_> = kinds.iter().map(|&kind| (kind, list(&[0x0403]))).collect();
    hello(32, &extensions)
}

#[test]
fn inserts_in_front_and_fixes_two_lengths() {
    let inserted = insert_extensions(
        &hello(0, &[(51, vec![1, 2])]),
        &extension(34, &[0, 2, 4, 3]),
    );
    let expected = hello(0, &[(34, vec![0, 2, 4, 3]), (51, vec![1, 2])]);
    assert_eq!(inserted, Some(expected));
}

#[test]
fn nothing_is_inserted_where_a_length_would_overflow() {
    let message = hello(0, &[(21, vec![0; 0xffff - 4 - 8])]);
    assert!(insert_extensions(&message, &[0; 8]).is_some());
    assert_eq!(insert_extensions(&message, &[0; 9]), None);
}

#[test]
fn nothing_is_inserted_in_other_messages() {
    let mut server_hello = hello(0, &[(51, vec![1, 2])]);
    server_hello[0] = 2;
    let no_extensions = message(1, &hello(0, &[])[4..45]);
    let mut wrong_length = hello(0, &[(51, vec![1, 2])]);
    wrong_length[3] += 1;
    let trailing = [hello(0, &[]), vec![0]].concat();
    for message in [
        server_hello,
        no_extensions,
        wrong_length,
        trailing,
        Vec::new(),
    ] {
        assert_eq!(
            insert_extensions(&message, &extension(34, &[0, 2, 4, 3])),
            None
        );
    }
}

#[test]
fn retried_hello_is_found_behind_other_messages() {
    let own = extension(34, &[0, 2, 4, 3]);
    let before = [message(254, &[9; 32]), message(2, &[8; 70])].concat();
    let second = hello(32, &[(51, vec![1, 2]), (41, vec![7; 60])]);
    let cut = &second[..second.len() - 35];
    let expected = [
        before.clone(),
        insert_extensions(cut, &own).expect("a hello"),
    ]
    .concat();
    assert_eq!(hellos_to_wire(&[&before, cut].concat(), &own), expected);
}

#[test]
fn data_that_is_no_sequence_of_messages_is_unchanged() {
    let hello = hello(32, &[(51, vec![1, 2])]);
    let trailing = [hello.as_slice(), &[2, 0, 0]].concat();
    let cut_before_extensions = &hello[..70];
    for data in [
        &trailing[..],
        &hello[1..],
        cut_before_extensions,
        &[],
        &[0x42; 32],
    ] {
        assert_eq!(hellos_to_wire(data, &[1, 2, 3]), data);
    }
}

#[test]
fn reads_every_list_of_the_offer() {
    let message = hello(
        32,
        &[
            (0, vec![]),
            (13, vec![0, 2, 8, 4]),
            (34, vec![0, 2, 4, 3]),
            (5, vec![1, 0, 0, 0, 0]),
            (0xff22, vec![9]),
            (43, vec![4, 3, 4, 3, 3]),
        ],
    );
    let expected = Offer {
        rfc9345: Some(&[0, 2, 4, 3]),
        named: Some(&[9]),
        signature_algorithms: Some(&[0, 2, 8, 4]),
        status_request: Some(&[1, 0, 0, 0, 0]),
        supported_versions: Some(&[4, 3, 4, 3, 3]),
        has_server_name: true,
        has_early_data: false,
        has_session: false,
    };
    assert_eq!(Offer::read(&message), Ok(expected));
}

#[test]
fn knows_whether_tls13_is_among_the_versions() {
    for (versions, has_tls13) in [
        (Some(vec![4, 3, 4, 3, 3]), true),
        (Some(vec![4, 0x7a, 0x7a, 3, 4]), true),
        (Some(vec![2, 3, 3]), false),
        (Some(vec![3, 3, 3, 4]), false),
        (Some(vec![]), false),
        (None, false),
    ] {
        let extensions: Vec<_> = versions.into_iter().map(|body| (43, body)).collect();
        let message = hello(0, &extensions);
        let offer = Offer::read(&message).expect("a whole hello");
        assert_eq!(offer.has_tls13(), has_tls13, "{extensions:?}");
    }
}

#[test]
fn rejects_an_offer_made_twice() {
    assert_eq!(Offer::read(&offer(&[34, 51, 34])), Err(BrokenHello));
    assert_eq!(Offer::read(&offer(&[0xff22, 0xff22])), Err(BrokenHello));
    assert!(Offer::read(&offer(&[0xff22, 34])).is_ok());
}

#[test]
fn rejects_a_cut_hello() {
    let message = offer(&[13, 34]);
    for len in 0..message.len() {
        assert_eq!(Offer::read(&message[..len]), Err(BrokenHello));
    }
}

#[test]
fn relabels_the_named_form_before_the_other() {
    let mut message = offer(&[34, 0xff22]);
    assert_eq!(
        offer_to_rustls(&mut message),
        Relabelling::Done(Form::Named)
    );
    assert_eq!(
        message,
        hello(32, &[(34, list(&[0x0403])), (5, vec![0x23, 2, 4, 3])])
    );

    let mut message = offer(&[34]);
    assert_eq!(
        offer_to_rustls(&mut message),
        Relabelling::Done(Form::Rfc9345)
    );
    assert_eq!(message, hello(32, &[(5, vec![0x22, 2, 4, 3])]));
}

#[test]
fn own_status_request_needs_no_relabelling() {
    let message = hello(32, &[(34, list(&[0x0403])), (5, vec![1, 0, 0, 0, 0])]);
    let mut relabelled = message.clone();
    assert_eq!(offer_to_rustls(&mut relabelled), Relabelling::Unneeded);
    offer_to_wire(&mut relabelled);
    assert_eq!(relabelled, message);
}

#[test]
fn hello_without_an_offer_needs_no_relabelling() {
    assert_eq!(
        offer_to_rustls(&mut offer(&[13, 51])),
        Relabelling::Unneeded
    );
}

#[test]
fn what_cannot_be_undone_is_not_relabelled() {
    let marked = |marker| hello(32, &[(5, vec![marker, 0]), (34, list(&[0x0403]))]);
    let long_list = hello(32, &[(34, list(&[0x0403; 128]))]);
    let empty = hello(32, &[(34, Vec::new())]);
    let twice = offer(&[34, 34]);
    for message in [
        marked(0x22),
        marked(0x23),
        long_list,
        empty,
        twice,
        message(1, &[3, 3]),
    ] {
        let mut relabelled = message.clone();
        assert_eq!(offer_to_rustls(&mut relabelled), Relabelling::Impossible);
        assert_eq!(relabelled, message);
    }
}

#[test]
fn nothing_is_undone_beside_what_is_no_message() {
    let mut relabelled = offer(&[34]);
    offer_to_rustls(&mut relabelled);
    let data = [relabelled.as_slice(), &[2, 0, 0]].concat();
    let mut unchanged = data.clone();
    offer_to_wire(&mut unchanged);
    assert_eq!(unchanged, data);
}

#[test]
fn list_of_127_schemes_is_relabelled() {
    let message = hello(32, &[(34, list(&[0x0403; 127]))]);
    let mut relabelled = message.clone();
    assert_eq!(
        offer_to_rustls(&mut relabelled),
        Relabelling::Done(Form::Rfc9345)
    );
    offer_to_wire(&mut relabelled);
    assert_eq!(relabelled, message);
}

fn any_hello() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![
        Just(34u16),
        Just(0xff22),
        Just(13),
        Just(5),
        Just(51),
        any::<u16>()
    ];
    let body = prop_oneof![
        vec(any::<u16>(), 0..6).prop_map(|schemes| list(&schemes)),
        vec(any::<u8>(), 0..40),
        vec(0x21u8..0x25, 0..4),
    ];
    (0u8..33, vec((kind, body), 0..7)).prop_map(|(id_len, extensions)| hello(id_len, &extensions))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn cutting_and_inserting_commute(message in any_hello(), cut: prop::sample::Index, own in vec(any::<u8>(), 0..40)) {
        let extensions_at = Hello::read(&message).expect("a hello").extensions_at;
        let kept = extensions_at + cut.index(message.len() - extensions_at + 1);
        let whole = insert_extensions(&message, &own).expect("a hello");
        let inserted = insert_extensions(&message[..kept], &own).expect("a hello that is cut late enough");
        prop_assert_eq!(inserted, &whole[..kept + own.len()]);
    }

    #[test]
    fn transcript_is_what_was_sent(message in any_hello(), own in vec(any::<u8>(), 0..40)) {
        prop_assert_eq!(Some(hellos_to_wire(&message, &own).into_owned()), insert_extensions(&message, &own));
    }

    #[test]
    fn relabelling_is_undone_exactly(message in any_hello(), before in vec(any::<u8>(), 0..40)) {
        let mut relabelled = message.clone();
        let relabelling = offer_to_rustls(&mut relabelled);
        prop_assert_eq!(relabelled != message, matches!(relabelling, Relabelling::Done(_)));
        if relabelling != Relabelling::Impossible {
            let before = super::super::testing::message(2, &before);
            let mut data = [before.clone(), relabelled].concat();
            offer_to_wire(&mut data);
            prop_assert_eq!(data, [before, message].concat());
        }
    }

    #[test]
    fn relabelling_is_undone_in_a_cut_hello(message in any_hello(), psk in vec(any::<u8>(), 1..90)) {
        let with_psk = insert_behind(&message, &extension(41, &psk));
        let mut relabelled = with_psk.clone();
        if offer_to_rustls(&mut relabelled) != Relabelling::Impossible {
            let cut = with_psk.len() - psk.len();
            offer_to_wire(&mut relabelled[..cut]);
            prop_assert_eq!(relabelled, with_psk);
        }
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(
        mut bytes in vec(any::<u8>(), 0..200),
        mut message in any_hello(),
        at: prop::sample::Index,
        byte: u8,
    ) {
        let at = at.index(message.len());
        message[at] = byte;
        for data in [&mut bytes, &mut message] {
            let _ = insert_extensions(data, &[1, 2, 3]);
            let _ = hellos_to_wire(data, &[1, 2, 3]);
            let _ = Offer::read(data);
            let _ = offer_to_rustls(data);
            offer_to_wire(data);
        }
    }
}

/// `message` with `extension` behind its own.
fn insert_behind(message: &[u8], extension: &[u8]) -> Vec<u8> {
    let hello = Hello::read(message).expect("a hello");
    let fixed = insert_extensions(&message[..hello.extensions_at], extension).expect("a hello");
    [&fixed[..hello.extensions_at], hello.extensions, extension].concat()
}
