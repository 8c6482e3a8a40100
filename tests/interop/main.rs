//! Peers nobody here wrote: NSS and tlslite-ng against the `server` and `client` examples.
//!
//! Every row of these tests is one real TLS handshake between two processes on the loopback interface, judged by
//! what *both* sides say. `setup.sh` installs the peers when they are missing; a peer that cannot be had is a failure,
//! unless `DC_INTEROP=skip` is set. All rows, with the peers' versions, end up in `target/interop/report.txt`.

mod handshake;
mod lab;
mod nss;
mod our_client;
mod our_server;
mod ours;
mod peers_alone;
mod process;
mod report;
mod setup;
mod tlslite;
mod vendor;
