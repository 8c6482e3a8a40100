//! Errors of PKCS#11 as ours.

use cryptoki::error::{Error as Cryptoki, RvError};

use crate::token_fault::TokenFault;

/// A call that failed, and whether it may work later.
pub(super) fn failed(error: &Cryptoki) -> TokenFault {
    let Cryptoki::Pkcs11(code, call) = error else {
        return TokenFault::Call {
            call: "PKCS#11".to_owned(),
            code: error.to_string(),
            is_temporary: false,
        };
    };
    match code {
        RvError::MechanismInvalid | RvError::MechanismParamInvalid => {
            let mechanism = "mechanism for this type of key";
            return TokenFault::Mechanism { mechanism };
        }
        RvError::TokenWriteProtected | RvError::SessionReadOnly => {
            let why = "it is write-protected: its security officer can change that";
            return TokenFault::ReadOnly { why };
        }
        _ => {}
    }
    let is_temporary = matches!(
        code,
        RvError::DeviceError
            | RvError::DeviceMemory
            | RvError::DeviceRemoved
            | RvError::FunctionFailed
            | RvError::GeneralError
            | RvError::HostMemory
            | RvError::SessionClosed
            | RvError::SessionCount
            | RvError::SessionHandleInvalid
            | RvError::SlotIdInvalid
            | RvError::TokenNotPresent
            | RvError::UserNotLoggedIn
    );
    TokenFault::Call {
        call: call.to_string(),
        code: code.to_string(),
        is_temporary,
    }
}
