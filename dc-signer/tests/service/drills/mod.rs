//! What `docs/runbook.md` tells people to do, done: each entry there names the test that shows it.

mod ca;
mod command;
mod faults;
mod fleet;
mod mistakes;
mod planned;
mod stolen_delegation_key;
mod stolen_keys;
mod table;
