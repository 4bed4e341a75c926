//! Whose certificates are believed: those that the operator names, and nobody else's.
//!
//! INVARIANT: without roots there is no TLS; the system's own list counts only where the operator names its file.

use std::{fmt, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// Roots, ready for use.
#[derive(Clone, Default)]
pub struct Roots(Option<Arc<ClientConfig>>);

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Roots(given)"
        } else {
            "Roots(none)"
        })
    }
}

/// Why roots can not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootsError {
    /// No PEM, or something in it that is no certificate.
    #[error("the roots hold something that is no certificate in PEM")]
    Malformed,
    /// Not one certificate.
    #[error("the roots hold no certificate")]
    Empty,
    /// The TLS library does not take them.
    #[error("the roots can not be used: {0}")]
    Unusable(String),
}

impl RootsError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "AIM-N010"
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        "name a file of PEM certificates under `[http] roots` in aim.toml".to_owned()
    }
}

impl Roots {
    /// Nobody is believed: `https` can not be spoken.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Believes the certificates of a PEM text.
    ///
    /// # Errors
    /// [`RootsError`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, RootsError> {
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| RootsError::Malformed)?;
            store.add(certificate).map_err(|_| RootsError::Malformed)?;
        }
        if store.is_empty() {
            return Err(RootsError::Empty);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| RootsError::Unusable(error.to_string()))?
            .with_root_certificates(store)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Every connection is made anew: nothing of one request is sent with another.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Self(Some(Arc::new(config))))
    }

    pub(crate) const fn config(&self) -> Option<&Arc<ClientConfig>> {
        self.0.as_ref()
    }
}
