//! The whole life of credentials in one process: a vendor, devices, servers, clients and attackers,
//! with real TLS connections over loopback sockets.

mod client;
mod fleet;
mod forge;
mod scenarios;
mod server;
mod table;

use pki_types::UnixTime;

use crate::error::Error;

pub use table::Row;

/// Tries everything and says what came of it.
///
/// Makes its vendor and devices in a temporary folder, which is gone afterwards. Fails with
/// [`Error::Demo`] and as the parts of this crate do, if it cannot be set up; what goes wrong in a
/// connection is an outcome.
pub fn run(now: UnixTime) -> Result<Vec<Row>, Error> {
    scenarios::all(&fleet::Fleet::found(now)?)
}

/// Names the step of the set-up that an error of another crate stopped.
fn cannot<E>(step: &'static str) -> impl FnOnce(E) -> Error
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |source| Error::Demo {
        step,
        source: source.into(),
    }
}
