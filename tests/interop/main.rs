//! Peers nobody here wrote: NSS, Firefox, tlslite-ng, BoringSSL, OpenSSL, aioquic and kdig against our server and our client.
//!
//! Every row of these tests is one real TLS handshake on the loopback interface, judged by what *both* sides say.
//! They are installed when they are missing (`tests/setup`); a peer that cannot be had is a failure, unless
//! `DC_INTEROP=skip` is set. What was tried, with the peers' versions, ends up in `report.txt` and `matrix.json`, in
//! `target/interop`.

mod boring;
mod client_auth;
mod connection;
mod early;
mod ech;
mod endpoint;
mod examples;
mod firefox;
mod handshake;
mod http;
mod lab;
mod matrix;
mod middle;
mod namespace;
mod nss;
mod our_client;
mod our_server;
mod ours;
mod peers_alone;
mod quic;
mod report;
mod router;
mod setup;
mod tlslite;
mod vendor;

use dc_tests::process;
