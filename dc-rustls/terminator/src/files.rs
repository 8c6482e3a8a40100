//! As many open files as the connections need.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::Error;

/// Allows this process so many connections, each of which has two files, and as many handshakes beside them.
///
/// Fails with [`Error::Files`] if the system does not allow them.
pub fn make_room(connections: usize, handshakes: usize) -> Result<(), Error> {
    let needed = (2 * connections + handshakes + OWN) as u64;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let wanted = Rlimit {
        current: Some(needed),
        maximum,
    };
    setrlimit(Resource::Nofile, wanted).map_err(|_| Error::Files {
        allowed: maximum.or(current).unwrap_or_default(),
        needed,
    })
}

/// Ports, the reactor, standard streams, and the folder that is read meanwhile.
const OWN: usize = 40;
