//! Nothing is shared between the benchmarks yet.
