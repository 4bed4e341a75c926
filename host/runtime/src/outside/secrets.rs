//! Secrets of a deployment, each bound to endpoints and headers.
//!
//! INVARIANT: a secret leaves this file inside a header's value for an endpoint that it is bound to, and in no other way.

use std::collections::{BTreeMap, BTreeSet};

use aim_core::{
    http::{HttpRequest, HttpResponse},
    secret::{Filled, Piece, Secret, fill, pieces},
};

/// One secret, and what it may be used for.
#[derive(Debug, Clone)]
pub struct SecretBinding {
    /// The value.
    pub secret: Secret,
    /// Where it may be sent: `https://api.example:443`.
    pub endpoints: BTreeSet<String>,
    /// In which headers, in lower case.
    pub headers: BTreeSet<String>,
}

/// Every secret of a deployment, by name.
#[derive(Debug, Clone, Default)]
pub struct SecretBook(pub BTreeMap<String, SecretBinding>);

/// Rules that a denial names.
const NOT_GRANTED: &str = "secrets.granted";
const NOT_KNOWN: &str = "secrets.known";
const NOT_BOUND: &str = "secrets.endpoint";
const OTHER_HEADER: &str = "secrets.header";
const MALFORMED: &str = "secrets.placeholder";
const OPEN_CONNECTION: &str = "secrets.https";

impl SecretBook {
    /// Puts granted secrets into a request's headers.
    ///
    /// # Errors
    /// The rule that denies it; the request is not sent then.
    pub(crate) fn fill(
        &self,
        request: &HttpRequest,
        granted: &BTreeSet<String>,
    ) -> Result<Vec<(String, Filled)>, &'static str> {
        let endpoint = request.target.endpoint();
        let mut headers = Vec::with_capacity(request.headers.len());
        for (name, value) in &request.headers {
            for piece in pieces(value).ok_or(MALFORMED)? {
                if let Piece::Secret(secret) = piece {
                    self.permit(&secret, granted, &endpoint, name)?;
                }
            }
            let find = |secret: &str| self.0.get(secret).map(|binding| &binding.secret);
            headers.push((name.clone(), fill(value, find).ok_or(MALFORMED)?));
        }
        Ok(headers)
    }

    fn permit(
        &self,
        secret: &str,
        granted: &BTreeSet<String>,
        endpoint: &str,
        header: &str,
    ) -> Result<(), &'static str> {
        if !granted.contains(secret) {
            return Err(NOT_GRANTED);
        }
        let binding = self.0.get(secret).ok_or(NOT_KNOWN)?;
        if !binding.endpoints.contains(endpoint) {
            return Err(NOT_BOUND);
        }
        if !binding.headers.contains(header) {
            return Err(OTHER_HEADER);
        }
        // In the clear everybody on the way could read it; a binding to a loopback address stays on the machine.
        let is_local = ["http://127.", "http://[::1]:"]
            .iter()
            .any(|local| endpoint.starts_with(local));
        if endpoint.starts_with("http://") && !is_local {
            return Err(OPEN_CONNECTION);
        }
        Ok(())
    }

    /// True when an answer says that its body is encoded, so that nobody can tell whether a secret is in it.
    pub(crate) fn is_unsearchable(response: &HttpResponse) -> bool {
        let plain = |value: &[u8]| value.eq_ignore_ascii_case(b"identity");
        (response.headers.iter()).any(|(name, value)| name == "content-encoding" && !plain(value))
    }

    /// True when an answer holds any secret of this deployment, in a form that can be recognised.
    pub(crate) fn is_echoed(&self, response: &HttpResponse) -> bool {
        self.0.values().any(|binding| {
            let secret = &binding.secret;
            let in_header = |(name, value): &(String, Vec<u8>)| {
                secret.appears_in(value) || secret.appears_in(name.as_bytes())
            };
            secret.appears_in(&response.body) || response.headers.iter().any(in_header)
        })
    }
}

#[cfg(test)]
mod tests {
    use aim_core::http::{Scheme, Target};
    use zeroize::Zeroizing;

    use super::*;

    fn book() -> SecretBook {
        let secret = Secret::parse(Zeroizing::new(b"canary-0123456789".to_vec())).unwrap();
        let binding = SecretBinding {
            secret,
            endpoints: [
                "https://api.example:443",
                "http://api.example:80",
                "http://127.0.0.1:80",
            ]
            .map(str::to_owned)
            .into(),
            headers: ["authorization".to_owned()].into(),
        };
        SecretBook([("token".to_owned(), binding)].into())
    }

    fn request(scheme: Scheme, host: &str, header: &str, value: &str) -> HttpRequest {
        HttpRequest {
            method: "GET".to_owned(),
            target: Target {
                scheme,
                host: host.to_owned(),
                port: scheme.default_port(),
                path: "/".to_owned(),
                query: None,
            },
            headers: vec![(header.to_owned(), value.as_bytes().to_vec())],
            body: Vec::new(),
        }
    }

    // Negative control: with the look at the endpoint taken out of `permit`, the other host gets the secret and this fails
    //.
    #[test]
    fn a_secret_goes_where_it_is_bound_to_and_nowhere_else() {
        let granted: BTreeSet<String> = ["token".to_owned()].into();
        let value = "Bearer {{secret:token}}";
        let fill = |scheme, host, header, value, granted: &BTreeSet<String>| {
            book()
                .fill(&request(scheme, host, header, value), granted)
                .map(|headers| headers[0].1.expose().to_vec())
        };
        let (https, http) = (Scheme::Https, Scheme::Http);
        let sent = b"Bearer canary-0123456789".to_vec();
        let api = "api.example";
        assert_eq!(
            fill(https, api, "authorization", value, &granted),
            Ok(sent.clone())
        );
        assert_eq!(
            fill(http, "127.0.0.1", "authorization", value, &granted),
            Ok(sent)
        );
        assert_eq!(
            fill(https, "evil.example", "authorization", value, &granted),
            Err(NOT_BOUND)
        );
        assert_eq!(
            fill(https, api, "x-debug", value, &granted),
            Err(OTHER_HEADER)
        );
        assert_eq!(
            fill(http, api, "authorization", value, &granted),
            Err(OPEN_CONNECTION)
        );
        assert_eq!(
            fill(https, api, "authorization", value, &BTreeSet::new()),
            Err(NOT_GRANTED)
        );
        let other: BTreeSet<String> = ["other".to_owned()].into();
        let unknown = "{{secret:other}}";
        assert_eq!(
            fill(https, api, "authorization", unknown, &other),
            Err(NOT_KNOWN)
        );
        assert_eq!(
            fill(https, api, "authorization", "{{secret:", &granted),
            Err(MALFORMED)
        );
        let plain = fill(https, "evil.example", "authorization", "none", &granted);
        assert_eq!(plain, Ok(b"none".to_vec()));
    }

    #[test]
    fn an_answer_that_holds_a_secret_is_recognised() {
        let answer = |headers: Vec<(String, Vec<u8>)>, body: &[u8]| HttpResponse {
            status: 200,
            headers,
            body: body.to_vec(),
        };
        assert!(book().is_echoed(&answer(vec![], b"you sent canary-0123456789!")));
        let header = ("x-echo".to_owned(), b"canary-0123456789".to_vec());
        assert!(book().is_echoed(&answer(vec![header], b"")));
        assert!(!book().is_echoed(&answer(vec![], b"canary")));
        let encoded = |how: &str| {
            let header = ("content-encoding".to_owned(), how.as_bytes().to_vec());
            SecretBook::is_unsearchable(&answer(vec![header], b"?"))
        };
        assert!(encoded("gzip") && encoded("br"));
        assert!(!encoded("identity"));
        assert!(!SecretBook::is_unsearchable(&answer(vec![], b"?")));
        assert!(!format!("{:?}", book()).contains("canary"));
    }
}
