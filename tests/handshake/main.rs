//! A client and a server of this project, or one of them and stock rustls, in one process.

mod accepted;
mod contract;
mod refused;
mod resumed;
mod setup;
mod stock;
mod tokio;
