//! The harness itself, held against real clients: what the other tests lean on has to bear.

mod mail;
mod postgres;
mod proxy;
mod sandbox;
mod store;
mod store_api;
