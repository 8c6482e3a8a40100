//! The benchmark `cost` is all that there is here.
