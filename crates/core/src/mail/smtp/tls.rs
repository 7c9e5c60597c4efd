//! TLS to the mail server. It trusts the system's certificates, and those of `MAIL_SMTP_CA_FILE`.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName, pem, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::SmtpError;
use super::certificate::Certificate;

/// Encrypts the connection; the server's certificate must be for this name.
pub(super) async fn encrypt(
    tcp: TcpStream,
    server: &str,
    ca_file: Option<&Path>,
) -> Result<TlsStream<TcpStream>, SmtpError> {
    let failed = |source| SmtpError::Tls { server: server.to_owned(), source };
    let config = config(ca_file)?;
    let name = ServerName::try_from(server.to_owned()).map_err(|error| failed(std::io::Error::other(error)))?;
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await.map_err(failed)
}

/// `TLS 1.3, certificate of Google Trust Services, valid until 2025-04-01`.
pub(super) fn describe(stream: &TlsStream<TcpStream>) -> String {
    let connection = stream.get_ref().1;
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS",
    };
    match certificate(stream) {
        Some(Certificate { issuer, valid_until }) => {
            format!("{version}, certificate of {issuer}, valid until {}", valid_until.date())
        }
        None => version.to_owned(),
    }
}

/// The server's certificate, as far as it can be read.
pub(super) fn certificate(stream: &TlsStream<TcpStream>) -> Option<Certificate> {
    stream.get_ref().1.peer_certificates().and_then(|chain| Certificate::read(chain.first()?))
}

fn config(ca_file: Option<&Path>) -> Result<ClientConfig, SmtpError> {
    let mut roots = RootCertStore::empty();
    // A system store that is missing or partly unreadable shows as an unknown issuer, at the server that needs it.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let unreadable = |source| SmtpError::CaFile { path: path.to_owned(), source };
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(unreadable)?.collect();
        let (added, _) = roots.add_parsable_certificates(certificates.map_err(unreadable)?);
        if added == 0 {
            return Err(unreadable(pem::Error::NoItemsFound));
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder =
        versions.map_err(|error| SmtpError::Tls { server: String::new(), source: std::io::Error::other(error) })?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
