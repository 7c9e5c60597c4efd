//! Tests of the image: built, started by the compose file that users start it by, with a real cron, a real database and a real store.
//!
//! Run by `scripts/test --docker`, which sees to a Docker engine and to an image to build from. Most of the time is spent waiting for
//! the next minute, when cron starts something; tests run in the order of their names, so those that wait for the longest have names that
//! stand in front.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod clocks;
mod cron;
mod demo;
mod endings;
mod engine;
mod guide;
mod image;
mod logs;
mod readme;
mod refusals;
mod scratch;
mod site;
