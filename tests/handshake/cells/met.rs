//! The two ends of a connection that was made, and whether it is what its cell says.

use dc_rustls::client::Peer;
use rustls::HandshakeKind;

use super::scene::{EARLY, Scene};
use super::{Cell, Early, Kind};

/// What both ends say of a connection.
#[derive(Debug)]
pub(super) struct Met {
    /// The server, as the client knows it.
    pub(super) server: Peer,
    /// The client, as the server knows it.
    pub(super) client: Option<Peer>,
    /// What each end says; nothing over QUIC.
    pub(super) kinds: Option<[HandshakeKind; 2]>,
    /// The early data that the server has read.
    pub(super) early: Vec<u8>,
    /// What the client says of it.
    pub(super) is_early_accepted: bool,
}

impl Met {
    #[track_caller]
    pub(super) fn check(&self, cell: &Cell, scene: &Scene, kind: Kind) {
        let what = format!("{cell:?}: {self:?}");
        let name = |device: &str| (cell.form == dc_core::Form::Named).then(|| device.to_owned());
        let expected = cell
            .role
            .has_server()
            .then(|| (cell.form, name(&scene.router.name)));
        assert_eq!(delegated(&self.server), expected, "{what}");
        let expected = cell
            .role
            .has_client()
            .then(|| (cell.form, name(&scene.camera.name)));
        assert_eq!(self.client.as_ref().and_then(delegated), expected, "{what}");
        assert_eq!(self.client.is_some(), cell.role.has_client(), "{what}");
        if let Some(kinds) = self.kinds {
            assert_eq!(kinds, [kind.of_rustls(); 2], "{what}");
        }
        let is_accepted = kind.early == Early::Accepted;
        assert_eq!(self.is_early_accepted, is_accepted, "{what}");
        let arrived: &[u8] = if is_accepted { EARLY } else { b"" };
        assert_eq!(self.early, arrived, "{what}");
    }
}

fn delegated(peer: &Peer) -> Option<(dc_core::Form, Option<String>)> {
    match peer {
        Peer::Delegated {
            form, unique_name, ..
        } => Some((*form, unique_name.as_ref().map(ToString::to_string))),
        _ => None,
    }
}

impl Kind {
    /// rustls 0.23 counts a resumption with a retry as a resumption.
    fn of_rustls(self) -> HandshakeKind {
        match (self.is_resumed, self.is_retried) {
            (true, _) => HandshakeKind::Resumed,
            (false, true) => HandshakeKind::FullWithHelloRetryRequest,
            (false, false) => HandshakeKind::Full,
        }
    }
}
