# What people run. `just` alone lists it; each line is an ordinary command, so nobody needs just.

_list:
    @just --list --unsorted

# Make a vendor and some devices on loopback, and show what clients accept and refuse
demo:
    cargo run -p dc-signer -- demo

# Start a service with a zone and a first device from nothing
serve:
    cargo run -p dc-signer --features service -- serve --dev

# Run all tests; what they need and do not find, they install
test *filter:
    cargo test --workspace {{ filter }}

# Everything that can go wrong at once, for so many minutes: devices are served, and nothing that was promised may be lost
soak minutes="10":
    DC_SOAK_MINUTES={{ minutes }} cargo test --workspace --test service soak -- --ignored --nocapture

# Format everything
fmt:
    cargo fmt --all
    cargo fmt --manifest-path tests/boring/Cargo.toml

# Everything that takes no tests to find out
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo test -p dc-tests --no-default-features --features ring --test hygiene

# Write the help of all commands, the page of the API, the pictures, the tables of imports and of connections and the test vectors, as they are now
update:
    UPDATE_HELP=1 cargo test -p dc-signer --test cli help
    UPDATE_HELP=1 cargo test -p dc-agent --test agent help
    UPDATE_API=1 cargo test -p dc-signer --test cli api_page
    UPDATE_PICTURES=1 cargo test -p dc-signer --test cli pictures
    UPDATE_TABLES=1 cargo test -p dc-tests --test hygiene imports::
    UPDATE_TABLES=1 cargo test -p dc-tests --test handshake cells::
    cargo run -p dc-vectors write

# Render the Internet-Draft as text and HTML, in target/draft
draft:
    docs/draft.sh

# Make the book of docs/, in target/book
book:
    docs/book.sh

# All that a change has to pass, as in CI
ci:
    .ci/run
