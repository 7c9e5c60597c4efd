//! A TCP proxy that breaks connections as networks do: for what no server does by itself, with PostgreSQL above all.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::runtime::{self, Background};

/// What the network does. Bytes are those of one connection from the server to the client: of a dump, the dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Everything arrives.
    Pass,
    /// After so many bytes, nothing arrives any more in either direction, and nobody is told.
    StallAfter(u64),
    /// After so many bytes, both sides see the connection reset.
    ResetAfter(u64),
    /// Connections are accepted, and nothing is ever answered.
    BlackHole,
}

/// A running proxy; it stops, with its connections, when this is dropped.
pub struct Proxy {
    port: u16,
    network: watch::Sender<Network>,
    accepted: Arc<AtomicUsize>,
    _server: Background,
}

impl Proxy {
    /// A proxy on a free port before the server on this port of 127.0.0.1. At first everything arrives.
    pub fn to(server: u16) -> Self {
        let listener = runtime::block_on(TcpListener::bind(("127.0.0.1", 0))).expect("127.0.0.1 has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (network, weather) = watch::channel(Network::Pass);
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let server = Background::spawn(async move {
            // Dropped with the task, which ends every connection.
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let weather = weather.clone();
                // A connection that one side closes is over, and no concern of the proxy.
                connections.spawn(async move { drop(relay(client, server, weather).await) });
            }
        });
        Self { port, network, accepted, _server: server }
    }

    /// The port to connect to instead of the server's.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes the network, for the connections that stand too.
    pub fn set(&self, network: Network) {
        self.network.send_replace(network);
    }

    /// How many connections there have been.
    pub fn connections(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Waits until there have been so many connections; fails the test if they do not come in time.
    pub fn wait_for_connections(&self, count: usize, within: Duration) {
        let deadline = Instant::now() + within;
        while self.connections() < count {
            assert!(Instant::now() < deadline, "{} of {count} connections came within {within:?}", self.connections());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

async fn relay(client: TcpStream, server: u16, mut weather: watch::Receiver<Network>) -> io::Result<()> {
    weather.wait_for(|network| *network != Network::BlackHole).await.map_err(io::Error::other)?;
    let mut server = TcpStream::connect(("127.0.0.1", server)).await?;
    let mut client = client;
    let mut arrived = 0u64;
    let (mut up, mut down) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    loop {
        let room = match *weather.borrow_and_update() {
            Network::Pass => u64::MAX,
            Network::BlackHole => 0,
            Network::StallAfter(limit) => limit.saturating_sub(arrived),
            Network::ResetAfter(limit) if arrived >= limit => {
                client.set_zero_linger()?;
                server.set_zero_linger()?;
                return Ok(());
            }
            Network::ResetAfter(limit) => limit - arrived,
        };
        if room == 0 {
            // Until the network is set to something else.
            weather.changed().await.map_err(io::Error::other)?;
            continue;
        }
        let most = down.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        tokio::select! {
            changed = weather.changed() => changed.map_err(io::Error::other)?,
            read = client.read(&mut up) => match read? {
                0 => return server.shutdown().await,
                read => server.write_all(&up[..read]).await?,
            },
            read = server.read(&mut down[..most]) => match read? {
                0 => return client.shutdown().await,
                read => {
                    client.write_all(&down[..read]).await?;
                    arrived += read as u64;
                }
            },
        }
    }
}
