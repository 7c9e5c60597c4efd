//! What a person asks of a server's certificate: who issued it, and until when it is valid.
//!
//! Whether it is valid, and for this server, is decided by TLS and not here: this only reads what passed (X.509, RFC 5280,
//! section 4.1), and gives up on whatever it does not expect.

use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_ID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const VERSION: u8 = 0xa0;

/// The end of the object ids of a name's attributes, 2.5.4.x.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    /// The organisation, else the common name.
    pub(super) issuer: String,
    pub(super) valid_until: OffsetDateTime,
}

impl Certificate {
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let mut certificate = Der(Der(der).expect(SEQUENCE)?);
        let mut signed = Der(certificate.expect(SEQUENCE)?);
        if signed.0.first() == Some(&VERSION) {
            signed.next()?;
        }
        let (_serial, _algorithm) = (signed.next()?, signed.expect(SEQUENCE)?);
        let issuer = name(signed.expect(SEQUENCE)?)?;
        let mut validity = Der(signed.expect(SEQUENCE)?);
        let _from = validity.next()?;
        let (tag, until) = validity.next()?;
        Some(Self { issuer, valid_until: instant(tag, until)? })
    }
}

/// A name is a sequence of sets of (object id, text).
fn name(der: &[u8]) -> Option<String> {
    let mut sets = Der(der);
    let mut found = None;
    while let Some(set) = sets.expect(SET) {
        let mut attribute = Der(Der(set).expect(SEQUENCE)?);
        let kind = attribute.expect(OBJECT_ID)?;
        let (_, text) = attribute.next()?;
        let text = String::from_utf8_lossy(text).into_owned();
        if kind == ORGANIZATION {
            return Some(text);
        }
        if kind == COMMON_NAME {
            found = Some(text);
        }
    }
    found
}

/// `YYMMDDHHMMSSZ` up to 2049, `YYYYMMDDHHMMSSZ` from then on.
fn instant(tag: u8, text: &[u8]) -> Option<OffsetDateTime> {
    let text = std::str::from_utf8(text).ok()?;
    let text = match (tag, text.get(..2)?.parse::<u8>().ok()?) {
        (UTC_TIME, 50..) => format!("19{text}"),
        (UTC_TIME, _) => format!("20{text}"),
        _ => text.to_owned(),
    };
    let form = format_description!("[year][month][day][hour][minute][second]Z");
    PrimitiveDateTime::parse(&text, form).ok().map(PrimitiveDateTime::assume_utc)
}

/// Tag, length, value; what is left of it.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], rest) = self.0.split_first_chunk()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, value))
    }

    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    use time::macros::datetime;

    use super::*;

    /// Made by `openssl req -x509`: by an organisation, its end in two digits of the year.
    const ORGANISATION: &str = "-----BEGIN CERTIFICATE-----\n\
         MIIB5zCCAY2gAwIBAgIURKAA7kViPA0vhA/UMgQIXp8E9qIwCgYIKoZIzj0EAwIw\n\
         STELMAkGA1UEBhMCREUxHzAdBgNVBAoMFlByaXZhdGUgTWFpbCBBdXRob3JpdHkx\n\
         GTAXBgNVBAMMEG1haWwuZXhhbXBsZS5jb20wHhcNMjYxMTIyMTMxNDQ0WhcNMzUw\n\
         MjA4MTMxNDQ0WjBJMQswCQYDVQQGEwJERTEfMB0GA1UECgwWUHJpdmF0ZSBNYWls\n\
         IEF1dGhvcml0eTEZMBcGA1UEAwwQbWFpbC5leGFtcGxlLmNvbTBZMBMGByqGSM49\n\
         AgEGCCqGSM49AwEHA0IABHD9iiXiLspSRitGnRdoTz1iFqmQKXIJFnIXRTUG9xqU\n\
         CXStsH5vmgacGT5m6Yr4RVvKr/Rnshcv7lF45aQN7hWjUzBRMB0GA1UdDgQWBBRa\n\
         JOEa1gHqaPRuzjQQkcX6s3MB+TAfBgNVHSMEGDAWgBRaJOEa1gHqaPRuzjQQkcX6\n\
         s3MB+TAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIHniPAUvSxK3\n\
         O31d1CBTeUih/cCEkZ8/QHkGxGu4V8VeAiEA1DvoqIqBTCKCzI9ulDVWwYp+JrzT\n\
         /otV1FfRs1NWEo4=\n\
         -----END CERTIFICATE-----";
    /// By a common name alone, its end in four digits of the year.
    const NAME_ONLY: &str = "-----BEGIN CERTIFICATE-----\n\
         MIIBjDCCATOgAwIBAgIUOTcZuWnU8UcWLb7yXCdnu6nkOO0wCgYIKoZIzj0EAwIw\n\
         GzEZMBcGA1UEAwwQb25seS5leGFtcGxlLmNvbTAgFw0yNjExMjIxMzE0MTFaGA8y\n\
         MDgxMDgyNTEzMTQxMVowGzEZMBcGA1UEAwwQb25seS5leGFtcGxlLmNvbTBZMBMG\n\
         ByqGSM49AgEGCCqGSM49AwEHA0IABHD9iiXiLspSRitGnRdoTz1iFqmQKXIJFnIX\n\
         RTUG9xqUCXStsH5vmgacGT5m6Yr4RVvKr/Rnshcv7lF45aQN7hWjUzBRMB0GA1Ud\n\
         DgQWBBRaJOEa1gHqaPRuzjQQkcX6s3MB+TAfBgNVHSMEGDAWgBRaJOEa1gHqaPRu\n\
         zjQQkcX6s3MB+TAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIHGM\n\
         /VZkveW5OHvY67cjfD5rg+h0Q60my/I0s9ChkimvAiB/wREBuABwVNUSRR+k1krz\n\
         xgej39+Rhts3PW6vKfPCFA==\n\
         -----END CERTIFICATE-----";

    fn der(pem: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
    }

    #[test]
    fn issuer_and_end_are_read_as_openssl_reads_them() {
        let certificate = Certificate::read(&der(ORGANISATION)).unwrap();
        assert_eq!(certificate.issuer, "Private Mail Authority");
        assert_eq!(certificate.valid_until, datetime!(2035-02-08 13:14:44 UTC));
        let certificate = Certificate::read(&der(NAME_ONLY)).unwrap();
        assert_eq!(certificate.issuer, "only.example.com");
        assert_eq!(certificate.valid_until, datetime!(2081-08-25 13:14:11 UTC));
    }

    #[test]
    fn a_certificate_cut_anywhere_or_with_any_byte_changed_is_read_or_given_up_without_a_panic() {
        let whole = der(ORGANISATION);
        for length in 0..whole.len() {
            assert_eq!(Certificate::read(&whole[..length]), None);
        }
        for at in 0..whole.len() {
            for byte in [0x00, 0x30, 0x7f, 0x80, 0x84, 0xff] {
                let mut changed = whole.to_vec();
                changed[at] = byte;
                Certificate::read(&changed);
            }
        }
    }
}
