//! Credentials of RFC 9345's form.
#![no_main]

use dc_core::Form;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| dc_fuzz::check_codec(Form::Rfc9345, input));
