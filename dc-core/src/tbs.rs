//! The exact bytes that a delegation certificate's key signs (RFC 9345 §4).

use alloc::vec::Vec;

use crate::credential::Form;
use crate::scheme::SignatureScheme;

/// The end of a connection that a credential authenticates. One credential serves one role
/// (RFC 9345 §7.2).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Role {
    /// It authenticates a TLS server.
    Server,
    /// It authenticates a TLS client.
    Client,
}

impl Role {
    fn context(self, form: Form) -> &'static [u8] {
        match (self, form) {
            (Self::Server, Form::Rfc9345) => b"TLS, server delegated credentials",
            (Self::Client, Form::Rfc9345) => b"TLS, client delegated credentials",
            (Self::Server, Form::Named) => b"TLS, server named delegated credentials",
            (Self::Client, Form::Named) => b"TLS, client named delegated credentials",
        }
    }
}

/// The message that the signature of a credential is over.
///
/// 64 spaces, the context of role and form, a zero byte, the delegation certificate's DER, the
/// credential exactly as it is encoded, and the signature's own scheme. Nothing of a handshake is in
/// it.
#[must_use]
pub fn signed_bytes(
    role: Role,
    form: Form,
    certificate: &[u8],
    credential: &[u8],
    algorithm: SignatureScheme,
) -> Vec<u8> {
    let algorithm = algorithm.0.to_be_bytes();
    [
        &[b' '; 64][..],
        role.context(form),
        &[0],
        certificate,
        credential,
        &algorithm,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lays_the_parts_out_in_order() {
        let message = signed_bytes(
            Role::Server,
            Form::Rfc9345,
            b"CERT",
            b"CRED",
            SignatureScheme(0x0403),
        );
        assert_eq!(message.len(), 64 + 33 + 1 + 4 + 4 + 2);
        assert!(message[..64].iter().all(|&byte| byte == b' '));
        assert_eq!(
            &message[64..],
            b"TLS, server delegated credentials\0CERTCRED\x04\x03"
        );
    }

    #[test]
    fn no_context_begins_with_another() {
        let contexts = [Role::Server, Role::Client]
            .map(|role| [Form::Rfc9345, Form::Named].map(|form| role.context(form)));
        for (i, a) in contexts.iter().flatten().enumerate() {
            for (j, b) in contexts.iter().flatten().enumerate() {
                assert!(i == j || !a.starts_with(b));
            }
        }
    }
}
