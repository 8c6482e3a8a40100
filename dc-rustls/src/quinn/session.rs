//! `quinn_proto::crypto::Session`: quinn's own, with the views swapped where handshake bytes pass.

use std::any::Any;

use quinn_proto::crypto::{
    ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey, Session,
};
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{ConnectionId, Side, TransportError, TransportErrorCode};
use rustls::AlertDescription;

use crate::handover;

/// One side's treatment of the handshake bytes of a connection.
pub(super) trait Views: Send + Sync + 'static {
    /// Gives `inner` what the peer sent. A server may put another session in its place, before the first byte.
    fn read(&mut self, inner: &mut Box<dyn Session>, bytes: &[u8]) -> Result<bool, TransportError>;

    /// Appends to `out` what goes to the peer.
    fn write(&mut self, inner: &mut dyn Session, out: &mut Vec<u8>) -> Option<Keys>;

    /// The peer, as the type that [`super::server`] or [`super::client`] looks for.
    fn identity(&self, inner: &dyn Session) -> Option<Box<dyn Any>>;
}

pub(super) struct Mapped<V> {
    pub(super) inner: Box<dyn Session>,
    pub(super) views: V,
}

impl<V: Views> Session for Mapped<V> {
    fn read_handshake(&mut self, bytes: &[u8]) -> Result<bool, TransportError> {
        self.views.read(&mut self.inner, bytes)
    }

    fn write_handshake(&mut self, out: &mut Vec<u8>) -> Option<Keys> {
        self.views.write(self.inner.as_mut(), out)
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        self.views.identity(self.inner.as_ref())
    }

    fn initial_keys(&self, id: &ConnectionId, side: Side) -> Keys {
        self.inner.initial_keys(id, side)
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        self.inner.handshake_data()
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        self.inner.early_crypto()
    }

    fn early_data_accepted(&self) -> Option<bool> {
        self.inner.early_data_accepted()
    }

    fn is_handshaking(&self) -> bool {
        self.inner.is_handshaking()
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        self.inner.transport_parameters()
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        self.inner.next_1rtt_keys()
    }

    fn is_valid_retry(&self, id: &ConnectionId, header: &[u8], payload: &[u8]) -> bool {
        self.inner.is_valid_retry(id, header, payload)
    }

    fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        self.inner.export_keying_material(output, label, context)
    }
}

/// Lets rustls read, inside a scope of [`handover`], and gives a refusal the alert that it asks for.
///
/// rustls derives alerts from its own errors, among which there is none for most of ours. `refused` is told about those.
pub(super) fn read(
    inner: &mut dyn Session,
    bytes: &[u8],
    refused: impl FnOnce(AlertDescription, &str),
) -> Result<bool, TransportError> {
    let read = inner.read_handshake(bytes);
    read.map_err(|error| match handover::take_alert() {
        Some(ours) => {
            refused(ours, &error.reason);
            alert(ours, error.reason)
        }
        None => error,
    })
}

/// The end of a connection with this alert (RFC 9001 §4.8). The peer can read `reason`.
pub(super) fn alert(alert: AlertDescription, reason: String) -> TransportError {
    TransportError {
        code: TransportErrorCode::crypto(alert.into()),
        frame: None,
        reason,
    }
}
