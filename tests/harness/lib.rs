//! What the acceptance tests and the demo stand on: real servers, started here, gone afterwards.
//!
//! | module | what it gives a test |
//! | --- | --- |
//! | [`sandbox`] | one tool after another in a world of its own: the way tests read |
//! | [`postgres`] | a throwaway PostgreSQL server: one shared by the whole test process, or one of the test's own |
//! | [`store`] | an S3 server in this process, that remembers requests and misbehaves when told to |
//! | [`moto`] | a second S3 store, that somebody else wrote, with versions, tags and locks |
//! | [`mail`] | an SMTP server in this process, that follows a script; one that somebody else wrote, with TLS |
//! | [`data`] | scripts that fill a database: a shop of any size, a zoo of everything odd |
//! | [`proxy`] | a TCP proxy that stalls, resets and swallows connections |
//! | [`lifeline`] | processes and files that do not outlive the test process |
//! | [`programs`] | where PostgreSQL's programs are |
//! | [`readme`] | the README's blocks of code, to be run as they are printed |
//!
//! Everything listens on 127.0.0.1 at a port the system chose (unless containers are to reach it), or on a Unix socket under [`lifeline::folder`], and nothing
//! outlives the test process, however it ends. No variable of the person who runs the tests reaches a server or a tool:
//! every process starts from an empty environment. A program that is missing is a failure that says how to install it.

pub mod data;
pub mod lifeline;
pub mod mail;
pub mod moto;
pub mod postgres;
pub mod programs;
pub mod proxy;
pub mod readme;
mod runtime;
pub mod sandbox;
pub mod store;
