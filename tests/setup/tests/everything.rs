//! The first test of `cargo test --workspace`: installs what all others need, before any of them runs.

#[test]
fn what_all_tests_need_is_here() {
    if let Err(said) = apparatus::everything() {
        panic!("{said}");
    }
}
