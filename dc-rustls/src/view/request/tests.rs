use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::view::testing::{extension, message, sequence};

/// A CertificateRequest with these names, or without certificate_authorities.
fn request(names: &[Vec<u8>]) -> Vec<u8> {
    let mut list = Vec::new();
    for name in names {
        put_vector(&mut list, 2, name).unwrap();
    }
    let mut authorities = Vec::new();
    put_vector(&mut authorities, 2, &list).unwrap();
    let mut extensions = extension(SIGNATURE_ALGORITHMS, &[0, 2, 4, 3]);
    if !names.is_empty() {
        extensions.extend(extension(CERTIFICATE_AUTHORITIES, &authorities));
    }
    extensions.extend(extension(27, &[2, 0, 2]));
    let mut body = vec![0];
    put_vector(&mut body, 2, &extensions).unwrap();
    message(CERTIFICATE_REQUEST, &body)
}

fn offer(forms: &[Form], schemes: usize) -> Vec<u8> {
    let list = [4, 3].repeat(schemes);
    let mut body = Vec::new();
    put_vector(&mut body, 2, &list).unwrap();
    let extensions = forms
        .iter()
        .map(|form| extension(form.extension_type(), &body));
    extensions.collect::<Vec<_>>().concat()
}

fn forms() -> impl Strategy<Value = Vec<Form>> {
    prop_oneof![
        Just(vec![Form::Named]),
        Just(vec![Form::Rfc9345]),
        Just(vec![Form::Named, Form::Rfc9345])
    ]
}

proptest! {
    #[test]
    fn the_offer_takes_the_place_of_the_stand_in(
        names in vec(vec(any::<u8>(), 0..100), 0..5),
        forms in forms(),
        schemes in 1usize..8,
        piece in 1usize..90,
    ) {
        let names: Vec<_> = names.iter().map(|name| sequence(name)).collect();
        let offer = offer(&forms, schemes);
        let stand_in = stand_in(offer.len(), names.is_empty());
        let mut mapped = request(&[&names[..], &[stand_in]].concat());
        let length = mapped.len();
        requests_to_wire(&mut mapped, &offer);
        prop_assert_eq!(mapped.len(), length);
        let stream = [message(8, &[0, 0]), mapped, message(11, &[0; 40])].concat();
        let mut watch = RequestWatch::default();
        let found: Vec<_> = stream.chunks(piece).filter_map(|piece| watch.push(piece)).collect();
        let list = |form| forms.contains(&form).then(|| offer[4..offer.len() / forms.len()].to_vec());
        prop_assert_eq!(found, [Request {
            signature_algorithms: vec![0, 2, 4, 3],
            rfc9345: list(Form::Rfc9345),
            named: list(Form::Named),
        }]);
        // The names are still there.
        let message = &stream[6..6 + length];
        let found = find_authorities(message).map(|(_, body)| body.to_vec());
        let own = request(&names);
        prop_assert_eq!(found, find_authorities(&own).map(|(_, body)| body.to_vec()));
    }

    #[test]
    fn anything_passes_without_a_stand_in(names in vec(vec(any::<u8>(), 0..50), 0..4), noise in vec(any::<u8>(), 0..300)) {
        let names: Vec<_> = names.iter().map(|name| sequence(name)).collect();
        for bytes in [request(&names), noise.clone(), message(CERTIFICATE_REQUEST, &noise)] {
            let mut mapped = bytes.clone();
            requests_to_wire(&mut mapped, &offer(&[Form::Named], 2));
            prop_assert_eq!(&mapped, &bytes);
            let _ = RequestWatch::default().push(&bytes);
        }
    }
}
