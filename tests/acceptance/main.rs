//! Acceptance tests: what a user of the tools sees, against real servers. A module per subject.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod backup;
mod backup_store;
mod cleanup;
mod container;
mod docs;
mod follow;
mod harness;
mod health;
mod layers;
mod notify;
mod restore;
mod restore_test;
mod scan;
mod shop;
mod store;
