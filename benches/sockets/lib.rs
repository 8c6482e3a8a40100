//! The benchmark `sockets` is all that there is here.
