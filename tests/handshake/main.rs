//! A client and a server of this project, or one of them and stock rustls, in one process.

mod accepted;
mod chain;
mod compressed;
mod contract;
mod crowd;
mod ends;
mod events;
mod footprint;
mod framing;
mod http;
mod matrix;
mod misplaced;
mod mutual;
mod observed;
mod offers;
mod paths;
mod refused;
mod resumed;
mod rogue;
mod selected;
mod setup;
mod signed;
mod stock;
mod tls12;
mod tokio;
mod watched;
