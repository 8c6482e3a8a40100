//! BoringSSL as a client that authenticates itself.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use boring::ssl::{Ssl, SslContextBuilder, SslMethod, SslVerifyMode, SslVersion};

use crate::credential::{self, Selected};
use crate::{Result, read_chain, read_credential, read_key};

/// Does one handshake and a request, and prints the reply. Fails with what BoringSSL or the socket says.
pub fn connect(port: &str, files: &[&str]) -> Result<()> {
    let mut context = SslContextBuilder::new(SslMethod::tls())?;
    context.set_min_proto_version(Some(SslVersion::TLS1_3))?;
    context.set_verify(SslVerifyMode::NONE);
    let selected = match *files {
        [] => Selected::default(),
        [chain, key] => {
            credential::add_certificate(&mut context, &read_chain(chain)?, &read_key(key)?)?;
            Selected::default()
        }
        [chain, _, file, key] => credential::add_delegated(
            &mut context,
            &read_chain(chain)?,
            &read_credential(file)?,
            &read_key(key)?,
        )?,
        _ => return Err("give a chain and its key, and a credential and its key".into()),
    };
    selected.announce(&mut context);
    let tcp = TcpStream::connect(("127.0.0.1", port.parse()?))?;
    let mut tls = Ssl::new(&context.build())?
        .connect(tcp)
        .map_err(|error| format!("handshake failed: {error}"))?;
    tls.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut reply = Vec::new();
    // A server that does not like the client says so now.
    tls.read_to_end(&mut reply)?;
    println!("{}", String::from_utf8_lossy(&reply));
    Ok(())
}
