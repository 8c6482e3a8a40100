//! `selection.json`: what a client offers, by its policy and the name that it wants.

use std::thread;

use dc_rustls::client::Config;
use dc_tests::message::{find_extension, split_vector};
use dc_tests::pipe::pipe;
use dc_vectors::format::Form;
use dc_vectors::format::selection::OfferVector;
use rustls::pki_types::ServerName;

use super::files::SELECTIONS;
use super::{backend, record, roots, under};
use crate::setup::ALL;

/// What is seen of a client before anybody answers it.
#[derive(Debug, Eq, PartialEq)]
struct Said {
    forms: Vec<Form>,
    server_name: Option<String>,
}

#[test]
fn every_offer_of_a_client_is_as_published() {
    let vectors = &SELECTIONS.offers;
    assert!(vectors.len() >= 20, "{}", vectors.len());
    let wrong: Vec<String> = vectors
        .iter()
        .filter_map(|(name, vector)| {
            let (said, expected) = (said(vector), expected(vector));
            (said != expected).then(|| format!("{name}: expected {expected:?}, said {said:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn expected(vector: &OfferVector) -> Option<Said> {
    // The files list the forms in any order.
    let forms = vector.forms.clone()?;
    let forms = [Form::Named, Form::Rfc9345]
        .into_iter()
        .filter(|form| forms.contains(form));
    Some(Said {
        forms: forms.collect(),
        server_name: vector.server_name.clone(),
    })
}

/// What our client says that connects under the vector's policy, or nothing if it does not begin.
fn said(vector: &OfferVector) -> Option<Said> {
    let client = Config::builder(backend().provider()).roots(roots());
    let client = under(vector.policy, client).build().unwrap();
    // What cannot even be written as a name is refused before anything is sent.
    let name = ServerName::try_from(vector.wanted_name.clone()).ok()?;
    let (near, far) = pipe(ALL);
    thread::scope(|scope| {
        let hello = scope.spawn(move || record(&mut { far }));
        client.connect(name, near).unwrap_err();
        let hello = hello.join().unwrap()?;
        let offers = |form: &Form| find_extension(&hello, extension_type(*form)).is_some();
        Some(Said {
            forms: [Form::Named, Form::Rfc9345]
                .into_iter()
                .filter(offers)
                .collect(),
            server_name: server_name(&hello),
        })
    })
}

/// The name in a ClientHello (RFC 6066 §3).
fn server_name(hello: &[u8]) -> Option<String> {
    let extension = find_extension(hello, 0)?;
    let (list, _) = split_vector(&extension[4..], 2);
    let (name, _) = split_vector(&list[1..], 2);
    Some(String::from_utf8(name.to_vec()).unwrap())
}

fn extension_type(form: Form) -> u16 {
    super::form(form).extension_type()
}
