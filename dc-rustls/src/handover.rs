//! The cell in which the steps of one handshake leave something for each other.
//!
//! rustls 0.23 calls `verify_server_cert` and `verify_tls13_signature` back to back, in one state
//! handler on one thread, but gives them nothing in common, and the verifier is shared by all
//! connections. So the first leaves the credential here and the second takes it; an alert that a
//! refusal asks for is left for the record layer, which rustls calls before it returns.
//! Nothing here means: use the certificate's own key. rustls 0.24 hands the first call's result to the
//! second; there this file goes away.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use dc_core::VerifiedCredential;
use rustls::AlertDescription;
use rustls::crypto::cipher::MessageDecrypter;
use rustls::pki_types::{CertificateDer, ServerName};

use crate::peer::Peer;
use crate::view::ignored::Originals;
use crate::view::request::Request;

/// An accepted credential and the certificate that it was accepted under.
type Accepted = (Arc<VerifiedCredential>, CertificateDer<'static>);

/// A decrypter that rustls has, and somebody else.
pub(crate) type SharedDecrypter = Arc<Mutex<Box<dyn MessageDecrypter>>>;

#[derive(Default)]
struct Handover {
    credential: Option<Accepted>,
    peer: Option<Arc<Peer>>,
    alert: Option<AlertDescription>,
    /// The request of a server to its client.
    request: Option<Request>,
    /// True if the decrypters of this step are to be shared.
    shares_decrypters: bool,
    decrypter: Option<SharedDecrypter>,
    /// The blocks that the mapping of a Certificate message left out.
    originals: Originals,
    /// The name that the connection of this step is for and hides.
    hidden: Option<Arc<ServerName<'static>>>,
}

thread_local! {
    static CELL: RefCell<Handover> = RefCell::default();
}

/// Runs one step of rustls with an empty cell, and returns who the step found the peer to be.
///
/// The cell of an outer step on this thread, should there be one, is kept for it.
pub(crate) fn scope<T>(step: impl FnOnce() -> T) -> (T, Option<Arc<Peer>>) {
    hiding_scope(&None, step)
}

/// The same for a step of a client that hides this name, if it hides one.
pub(crate) fn hiding_scope<T>(
    hidden: &Option<Arc<ServerName<'static>>>,
    step: impl FnOnce() -> T,
) -> (T, Option<Arc<Peer>>) {
    let outer = Outer(take());
    let hidden = hidden.clone();
    with(|cell| cell.hidden = hidden);
    let result = step();
    let peer = take().peer;
    drop(outer);
    (result, peer)
}

/// Puts the outer step's handover back, also when the inner step panics.
struct Outer(Handover);

impl Drop for Outer {
    fn drop(&mut self) {
        with(|cell| *cell = std::mem::take(&mut self.0));
    }
}

fn take() -> Handover {
    with(std::mem::take)
}

/// A thread that ends destroys the cell, and the application's own destructors may still close connections: they
/// find nothing here.
fn with<T: Default>(change: impl FnOnce(&mut Handover) -> T) -> T {
    let changed = CELL.try_with(|cell| change(&mut cell.borrow_mut()));
    changed.unwrap_or_default()
}

/// Leaves who the peer is, and its credential if it has one.
pub(crate) fn leave_peer(peer: impl Into<Arc<Peer>>, credential: Option<Accepted>) {
    let peer = peer.into();
    with(|cell| {
        cell.peer = Some(peer);
        cell.credential = credential;
    });
}

/// True if a verifier that is asked for `name` is asked for the public name in place of a hidden one, because the
/// server has rejected Encrypted ClientHello (RFC 9849 §6.1.6).
///
/// False when the two are the same, which cannot be told apart from acceptance.
pub(crate) fn is_public_name(name: &ServerName<'_>) -> bool {
    with(|cell| cell.hidden.as_ref().is_some_and(|hidden| **hidden != *name))
}

/// Leaves the credential of a server that is the public name's, and not the peer.
pub(crate) fn leave_credential(credential: Accepted) {
    with(|cell| cell.credential = Some(credential));
}

/// The peer that the current step has verified, if it did.
pub(crate) fn peer() -> Option<Arc<Peer>> {
    with(|cell| cell.peer.clone())
}

/// Takes the credential that was accepted under this certificate, once.
pub(crate) fn take_credential(certificate: &CertificateDer<'_>) -> Option<Arc<VerifiedCredential>> {
    with(|cell| cell.credential.take())
        .and_then(|(credential, accepted)| (accepted == *certificate).then_some(credential))
}

/// Leaves the CertificateRequest that a client has got, for the resolver that rustls asks in the same step.
pub(crate) fn leave_request(request: Request) {
    with(|cell| cell.request = Some(request));
}

/// Takes what the server asked for, once.
pub(crate) fn take_request() -> Option<Request> {
    with(|cell| cell.request.take())
}

/// Asks for the decrypters that are made in the current step.
pub(crate) fn share_decrypters() {
    with(|cell| cell.shares_decrypters = true);
}

/// True if somebody has asked for decrypters.
pub(crate) fn shares_decrypters() -> bool {
    with(|cell| cell.shares_decrypters)
}

/// Leaves a decrypter for whoever has asked.
pub(crate) fn leave_decrypter(decrypter: SharedDecrypter) {
    with(|cell| cell.decrypter = Some(decrypter));
}

/// Takes the last decrypter that was made, once.
pub(crate) fn take_decrypter() -> Option<SharedDecrypter> {
    with(|cell| cell.decrypter.take())
}

/// Leaves the blocks that were ignored in a Certificate message, for its transcript: the same step hashes the message.
pub(crate) fn leave_originals(originals: Originals) {
    if !originals.is_empty() {
        with(|cell| cell.originals = originals);
    }
}

/// Takes the blocks of the Certificate message that is hashed now, once.
pub(crate) fn take_originals() -> Originals {
    with(|cell| std::mem::take(&mut cell.originals))
}

/// Forgets the peer, because the step fails, and leaves the alert that the peer is owed.
pub(crate) fn leave_alert(alert: AlertDescription) {
    with(|cell| {
        *cell = Handover {
            alert: Some(alert),
            hidden: cell.hidden.take(),
            ..Handover::default()
        };
    });
}

/// Takes the alert that a refusal asked for, once.
pub(crate) fn take_alert() -> Option<AlertDescription> {
    with(|cell| cell.alert.take())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_begins_empty_and_returns_the_peer() {
        leave_alert(AlertDescription::DecodeError);
        let (alert, peer) = scope(|| {
            let alert = take_alert();
            leave_peer(Peer::Certificate, None);
            alert
        });
        assert_eq!(alert, None);
        assert_eq!(peer.as_deref(), Some(&Peer::Certificate));
        assert_eq!(take_alert(), Some(AlertDescription::DecodeError));
    }

    #[test]
    fn a_panic_in_a_step_leaves_nothing_behind() {
        let step = || {
            scope(|| {
                leave_peer(Peer::Certificate, None);
                panic!("on purpose");
            })
        };
        assert!(std::panic::catch_unwind(step).is_err());
        assert_eq!(scope(|| ()).1, None);
    }

    #[test]
    fn every_name_but_the_hidden_one_is_public_in_its_own_step() {
        let name = |name: &'static str| ServerName::try_from(name).expect("a name");
        let hidden = Some(Arc::new(name("hidden.example")));
        let are_public = || ["hidden.example", "public.example"].map(|n| is_public_name(&name(n)));
        let (seen, _) = hiding_scope(&hidden, || {
            let (inside, _) = scope(are_public);
            leave_alert(AlertDescription::DecodeError);
            (are_public(), inside)
        });
        assert_eq!(seen, ([false, true], [false, false]));
        assert_eq!(are_public(), [false, false]);
    }

    #[test]
    fn an_alert_forgets_the_peer() {
        let (alert, peer) = scope(|| {
            leave_peer(Peer::Certificate, None);
            leave_alert(AlertDescription::IllegalParameter);
            take_alert()
        });
        assert_eq!(
            (alert, peer),
            (Some(AlertDescription::IllegalParameter), None)
        );
    }
}
