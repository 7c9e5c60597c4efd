//! The harness itself, held against real clients: what the other tests lean on has to bear.

mod data;
mod mail;
mod moto;
mod postgres;
mod proxy;
mod sandbox;
mod smtpd;
mod store;
mod store_api;
