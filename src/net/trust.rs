//! Whom we believe when a server shows a certificate, and what we say when we do not.
//!
//! In: the certificate authorities of the system. Out: a TLS configuration. Verification is rustls's own and never
//! weakened; what is added here is a refusal that tells a person what to mend.

use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};

use super::NetError;

/// The certificate authorities that are believed, and where they were found.
#[derive(Debug, Clone)]
pub struct TrustStore {
    /// Where they came from, in words.
    pub origin: String,
    /// What went wrong on the way, if anything did.
    pub problem: Option<String>,
    roots: Arc<RootCertStore>,
}

impl TrustStore {
    /// The authorities that the system knows, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
    pub fn of_system() -> Self {
        let named: Vec<String> = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
            .into_iter()
            .filter_map(|name| std::env::var_os(name).map(|value| format!("{name}={}", value.to_string_lossy())))
            .collect();
        let origin = if named.is_empty() { "the system's certificate store".to_owned() } else { named.join(" and ") };
        let found = rustls_native_certs::load_native_certs();
        let problem = found.errors.first().map(ToString::to_string);
        Self { problem, ..Self::of_certificates(origin, found.certs) }
    }

    /// Exactly these authorities; what is no certificate is left out.
    pub fn of_certificates(origin: impl Into<String>, certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates);
        Self { origin: origin.into(), problem: None, roots: Arc::new(roots) }
    }

    /// How many authorities there are. With none, no https address can be fetched.
    pub fn roots(&self) -> usize {
        self.roots.len()
    }

    /// A TLS configuration that believes these authorities and offers these protocols.
    pub(super) fn client_config(&self, protocols: &[&[u8]]) -> Result<ClientConfig, NetError> {
        let setup = |error: &dyn fmt::Display| NetError::Setup(error.to_string());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| setup(&error))?;
        let mut config = if self.roots.is_empty() {
            builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
        } else {
            let inner =
                WebPkiServerVerifier::builder_with_provider(Arc::clone(&self.roots), provider).build().map_err(|error| setup(&error))?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(ExplainingVerifier(inner))).with_no_client_auth()
        };
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(config)
    }
}

impl fmt::Display for TrustStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} certificate authorities from {}", self.roots(), self.origin)?;
        match &self.problem {
            Some(problem) => write!(f, " ({problem})"),
            None => Ok(()),
        }
    }
}

/// rustls's verifier, with a reason added where an issuer is not known.
#[derive(Debug)]
struct ExplainingVerifier(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for ExplainingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now).map_err(|error| match error {
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                let reason = UnknownIssuer::of(end_entity, intermediates);
                rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(reason))))
            }
            other => other,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Why no authority vouches for a certificate, as far as the chain tells.
#[derive(Debug, Clone, PartialEq, Eq)]
struct UnknownIssuer {
    /// The chain ends in a certificate that vouches for itself.
    self_signed: bool,
    issuer: Option<String>,
}

impl UnknownIssuer {
    fn of(end_entity: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> Self {
        let last = intermediates.last().unwrap_or(end_entity);
        match names(last) {
            Some((issuer, subject)) => Self { self_signed: issuer == subject, issuer: name_text(issuer) },
            None => Self { self_signed: false, issuer: None },
        }
    }
}

impl fmt::Display for UnknownIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuer = self.issuer.as_deref().unwrap_or("an issuer without a name");
        if self.self_signed {
            write!(f, "the certificate is signed by {issuer}, an authority that this system does not know")
        } else {
            write!(f, "incomplete certificate chain: the server does not send the certificate of {issuer}")
        }
    }
}

impl std::error::Error for UnknownIssuer {}

/// The issuer and subject of a certificate, as DER names (RFC 5280 section 4.1).
fn names<'a>(certificate: &'a CertificateDer<'_>) -> Option<(&'a [u8], &'a [u8])> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    let (_, outer, _) = element(certificate.as_ref())?;
    let (_, mut fields, _) = element(outer)?;
    if let Some((VERSION, _, rest)) = element(fields) {
        fields = rest;
    }
    let (_, _, after_serial) = element(fields)?;
    let (_, _, after_algorithm) = element(after_serial)?;
    let (tag, issuer, after_issuer) = element(after_algorithm)?;
    let (_, _, after_validity) = element(after_issuer)?;
    let (_, subject, _) = element(after_validity)?;
    (tag == SEQUENCE).then_some((issuer, subject))
}

/// The common name in a DER name, or else the organization, as one short line.
fn name_text(mut name: &[u8]) -> Option<String> {
    const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
    const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];
    let mut organization = None;
    while let Some((_, set, rest)) = element(name) {
        name = rest;
        let Some((_, pair, _)) = element(set) else { continue };
        let Some((_, kind, value)) = element(pair) else { continue };
        let Some((_, text, _)) = element(value) else { continue };
        let text: String = String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).take(80).collect();
        match kind {
            COMMON_NAME => return Some(format!("“{text}”")),
            ORGANIZATION => organization = Some(format!("“{text}”")),
            _ => {}
        }
    }
    organization
}

/// One DER element: its tag, what is in it, what comes after.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

/// A TLS failure in words.
pub(super) fn tls_text(error: &rustls::Error) -> String {
    use rustls::Error;
    let text = match error {
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => "the certificate has expired",
        Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            "the certificate is not valid yet; is the clock of this machine right?"
        }
        Error::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => {
            "the certificate is for another name"
        }
        Error::InvalidCertificate(CertificateError::Revoked) => "the certificate was revoked",
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => "the issuer of the certificate is not known",
        Error::InvalidCertificate(CertificateError::Other(OtherError(reason))) => return reason.to_string(),
        Error::InvalidCertificate(_) => "the certificate is not valid",
        Error::InvalidMessage(_) => "the server does not speak TLS",
        Error::AlertReceived(_) => "the server refuses the TLS handshake",
        Error::PeerIncompatible(_) => "the server knows no TLS version or cipher that is safe today",
        _ => "the TLS handshake failed",
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_no_certificate() {
        for bytes in [&[][..], &[0x30], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 1], &[0x30, 0x03, 0x30, 0x01, 0xa0], &[0x30, 0x80]] {
            assert_eq!(names(&CertificateDer::from(bytes)), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_store_without_authorities_says_so() {
        let store = TrustStore::of_certificates("an empty folder", []);
        assert_eq!((store.roots(), store.to_string()), (0, "0 certificate authorities from an empty folder".to_owned()));
        assert!(store.client_config(&[b"http/1.1"]).is_ok());
    }
}
