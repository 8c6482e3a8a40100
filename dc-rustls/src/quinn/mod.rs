//! QUIC with [quinn](https://docs.rs/quinn/0.11): the same credentials, policies and answers as over TCP.
//!
//! A client makes a [`quinn::ClientConfig`] of its [`Config`](crate::client::Config), and asks
//! [`server`] of each connection who answered; a server makes a [`quinn::ServerConfig`] of its
//! [`Acceptor`](crate::server::Acceptor), and [`client`] of a connection says what was served, and who the client is if it
//! was asked for a credential. All else is quinn's.
//!
//! A refusal ends the connection with the alert that it gets over TCP, as QUIC's CRYPTO_ERROR: 0x100 and the
//! alert (RFC 9001 §4.8), so 0x12f for illegal_parameter.
//!
//! The module is there with the feature `quinn` and one of `ring` and `aws-lc-rs`. An application chooses quinn's
//! runtime itself: it depends on quinn with the feature `runtime-tokio`, and without quinn's default features,
//! which bring a second verifier.

mod client_config;
mod client_side;
mod early_data;
mod server_config;
mod server_side;
mod serving;
mod session;

pub use self::client_config::client_config;
pub use self::client_side::{Server, server};
pub use self::early_data::EarlyData;
pub use self::server_config::server_config;
pub use self::server_side::{Client, client};
