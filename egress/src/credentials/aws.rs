//! Requests to AWS are signed, not sent with a secret (AWS Signature Version 4, "Create a signed AWS API request" in the
//! IAM user guide). A client signs with its placeholders; what leaves is signed anew with the keys, in its headers or, as
//! a presigned URL is, in its query.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials as Signer;
use aws_sigv4::{
    http_request::{
        PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header, uri::PathAndQuery};

use super::Credential;
use crate::{body::Body, destination::Destination, refusal::Refused};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const CONTENT_HASH: &str = "x-amz-content-sha256";
const TOKEN: &str = "x-amz-security-token";
/// What a signature puts into a query, in lower case. Clients write it in both.
const SIGNED_QUERY: [&str; 7] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
];
/// What signed parameters are written with (RFC 3986 section 2.3).
const RESERVED: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The longest body that is held to be hashed. Lambda takes 6 MB, DynamoDB 16, and to S3 clients tell the hash.
const LONGEST: usize = 16 << 20;

/// The rest of the keys whose id is a credential's value.
pub struct AwsKeys {
    /// The secret access key.
    pub secret: String,
    /// The session token of keys that end.
    pub token: Option<String>,
}

/// Shows nothing.
impl std::fmt::Debug for AwsKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AwsKeys").finish_non_exhaustive()
    }
}

/// The signature that one request gets.
pub(crate) struct Signature {
    keys: Signer,
    region: String,
    service: String,
    place: Place,
    /// The headers that the client signed.
    signed: Vec<HeaderName>,
}

enum Place {
    Headers,
    Query { seconds: u64 },
}

impl Signature {
    /// What a request wants that was signed with the placeholder of one of these. None for others.
    pub(super) fn of(uri: &Uri, headers: &HeaderMap, bound: &[&Credential]) -> Option<Self> {
        if bound.iter().all(|credential| credential.aws.is_none()) {
            return None;
        }
        let parameter = |name: &str| {
            let mut all = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
            all.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.into_owned())
        };
        let authorization =
            headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (scope, signed, place) = if let Some(rest) = authorization.strip_prefix(ALGORITHM) {
            let part = |name: &str| {
                let mut parts = rest.split(',').filter_map(|part| part.trim().split_once('='));
                parts.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
            };
            (part("Credential")?, part("SignedHeaders")?, Place::Headers)
        } else {
            if parameter("x-amz-algorithm")? != ALGORITHM {
                return None;
            }
            let seconds = parameter("x-amz-expires").and_then(|text| text.parse().ok()).unwrap_or(300);
            (parameter("x-amz-credential")?, parameter("x-amz-signedheaders")?, Place::Query { seconds })
        };
        let [id, _, region, service, "aws4_request"] = scope.split('/').collect::<Vec<_>>()[..] else { return None };
        let credential = bound.iter().find(|credential| credential.aws.is_some() && credential.placeholder == id)?;
        let AwsKeys { secret, token } = credential.aws.as_ref()?;
        Some(Self {
            keys: Signer::new(&credential.value, secret, token.clone(), None, "rampart"),
            region: region.to_owned(),
            service: service.to_owned(),
            place,
            signed: signed.split(';').filter_map(|name| name.parse().ok()).collect(),
        })
    }

    /// Signs it as it leaves.
    ///
    /// # Errors
    /// Where a body is too long to be hashed, breaks off, or has signatures of its own inside.
    pub(crate) async fn sign(self, mut request: Request<Body>, to: &Destination) -> Result<Request<Body>, Refused> {
        let told = request.headers().get(CONTENT_HASH).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let by_query = matches!(self.place, Place::Query { .. });
        if !by_query && told.is_none() {
            let whole = request.body_mut().read_ahead(LONGEST, None).await;
            if !whole.map_err(|e| Refused::malformed(format!("the body of the request broke off: {e}")))? {
                return Err(Refused::unsigned("the body is longer than 16 MB, and the client does not tell its hash"));
            }
        }
        let (mut head, body) = request.into_parts();
        let payload = match told {
            _ if by_query && self.is_s3() => SignableBody::UnsignedPayload,
            _ if by_query => SignableBody::empty(),
            Some(word) if word.starts_with("STREAMING-AWS4") => {
                return Err(Refused::unsigned(
                    "the client signs each piece of the body by itself, which cannot be done anew; have it send the body whole, or \
                     unsigned, as it does over HTTPS by default",
                ));
            }
            Some(word) => SignableBody::Precomputed(word),
            None => SignableBody::Bytes(body.front()),
        };
        self.put(&mut head, to, payload, SystemTime::now())?;
        Ok(Request::from_parts(head, body))
    }

    fn put(
        &self,
        head: &mut http::request::Parts,
        to: &Destination,
        body: SignableBody<'_>,
        now: SystemTime,
    ) -> Result<(), Refused> {
        head.headers.remove(header::AUTHORIZATION);
        head.headers.remove(TOKEN);
        let query = without_signature(head.uri.query().unwrap_or_default());
        let mark = if query.is_empty() { "" } else { "?" };
        let target = format!("{}{mark}{query}", head.uri.path());
        let mut settings = SigningSettings::default();
        // S3 takes its paths as they are (user guide, "Create a canonical request").
        if self.is_s3() {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        if let Place::Query { seconds } = self.place {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(Duration::from_secs(seconds));
        }
        let wrong = |why: &dyn std::fmt::Display| Refused::unsigned(format!("the request cannot be signed: {why}"));
        let identity = self.keys.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(now)
            .settings(settings)
            .build()
            .map_err(|e| wrong(&e))?
            .into();
        // The host is that of the target, and the date is now.
        let own = [header::HOST, header::AUTHORIZATION, HeaderName::from_static("x-amz-date")];
        let signed = self.signed.iter().filter(|name| !own.contains(name) && *name != TOKEN);
        let signed = signed.flat_map(|name| head.headers.get_all(name).iter().map(move |value| (name.as_str(), value)));
        let signed: Vec<(&str, &str)> = signed.filter_map(|(name, v)| Some((name, v.to_str().ok()?))).collect();
        let url = format!("https://{}{target}", to.authority());
        let request =
            SignableRequest::new(head.method.as_str(), &url, signed.into_iter(), body).map_err(|e| wrong(&e))?;
        let (headers, parameters) = sign(request, &params).map_err(|e| wrong(&e))?.into_parts().0.into_parts();
        for header in headers {
            let mut value = HeaderValue::from_str(header.value()).map_err(|e| wrong(&e))?;
            value.set_sensitive(true);
            head.headers.insert(header.name(), value);
        }
        let mut parts = std::mem::take(&mut head.uri).into_parts();
        let written = parameters.iter().fold(target, |target, (name, value)| {
            let mark = if target.contains('?') { '&' } else { '?' };
            let value = percent_encoding::utf8_percent_encode(value, RESERVED);
            format!("{target}{mark}{name}={value}")
        });
        parts.path_and_query = Some(written.parse::<PathAndQuery>().map_err(|e| wrong(&e))?);
        head.uri = Uri::from_parts(parts).map_err(|e| wrong(&e))?;
        Ok(())
    }

    fn is_s3(&self) -> bool {
        ["s3", "s3-object-lambda", "s3-outposts"].contains(&self.service.as_str())
    }
}

/// A query without the parameters that a signature put there, and otherwise as it is written.
fn without_signature(query: &str) -> String {
    let own = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        !SIGNED_QUERY.iter().any(|signed| name.eq_ignore_ascii_case(signed))
    };
    query.split('&').filter(own).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys of AWS's own examples, for which a placeholder stands.
    fn credential(token: Option<&str>) -> Credential {
        Credential {
            name: "aws".into(),
            value: "AKIDEXAMPLE".into(),
            placeholder: "AKIAPLACEHOLDER00000".into(),
            hosts: vec!["*.amazonaws.com".parse().unwrap()],
            methods: vec![],
            paths: vec![],
            headers: vec![],
            in_body: false,
            anybody: true,
            echoes: vec![],
            aws: Some(AwsKeys {
                secret: ["wJalrXUtnFEMI/K7MDENG+bPxRfiCY", "EXAMPLEKEY"].concat(),
                token: token.map(str::to_owned),
            }),
        }
    }

    /// When AWS's examples are signed.
    fn then() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_mins(24_015_636)
    }

    /// The head of a request after it was signed anew, if it was.
    fn signed(
        url: &str,
        headers: &[(&str, &str)],
        token: Option<&str>,
        body: SignableBody<'_>,
    ) -> Option<http::request::Parts> {
        let mut request = Request::get(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let to = Destination::parse(crate::destination::Scheme::Https, head.uri.authority().unwrap().as_str()).unwrap();
        let credential = credential(token);
        let signature = Signature::of(&head.uri, &head.headers, &[&credential])?;
        signature.put(&mut head, &to, body, then()).unwrap();
        Some(head)
    }

    const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKIAPLACEHOLDER00000/20150830/us-east-1/iam/aws4_request, \
                          SignedHeaders=content-type;host;x-amz-date, Signature=00";

    #[test]
    fn the_example_of_the_documentation_is_signed_as_it_says() {
        // IAM user guide, "Create a signed AWS API request".
        let headers = [
            ("authorization", SIGNED),
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("x-amz-date", "20991231T000000Z"),
            ("x-amz-security-token", "a placeholder"),
        ];
        let url = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08";
        let head = signed(url, &headers, None, SignableBody::empty()).unwrap();
        let authorization = head.headers[header::AUTHORIZATION].to_str().unwrap();
        assert_eq!(
            authorization,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
        assert_eq!(head.headers["x-amz-date"], "20150830T123600Z");
        assert!(!head.headers.contains_key(TOKEN));
        assert_eq!(head.uri.path_and_query().unwrap(), "/?Action=ListUsers&Version=2010-05-08");
    }

    #[test]
    fn keys_that_end_bring_their_token() {
        let head =
            signed("https://iam.amazonaws.com/", &[("authorization", SIGNED)], Some("a token"), SignableBody::empty());
        let head = head.unwrap();
        assert!(head.headers[header::AUTHORIZATION].to_str().unwrap().contains("host;x-amz-date;x-amz-security-token"));
        assert_eq!(head.headers[TOKEN], "a token");
    }

    #[test]
    fn a_presigned_url_is_signed_in_its_query() {
        let url = "https://b.s3.amazonaws.com/a%20b?versionId=1&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAPLACEHOLDER00000\
                   %2F20150830%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20150830T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host\
                   &X-Amz-Signature=00";
        let head = signed(url, &[], None, SignableBody::UnsignedPayload).unwrap();
        let target = head.uri.to_string();
        assert!(target.starts_with("https://b.s3.amazonaws.com/a%20b?versionId=1&X-Amz-Algorithm=AWS4"), "{target}");
        assert!(
            target.contains("AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20150830T123600Z"),
            "{target}"
        );
        assert!(target.contains("X-Amz-Expires=60") && !target.contains("PLACEHOLDER"), "{target}");
        assert_eq!(target.matches("X-Amz-Signature=").count(), 1, "{target}");
        assert!(head.headers.is_empty());
    }

    #[test]
    fn what_nobody_of_these_signed_is_left_alone() {
        for authorization in [
            SIGNED.replace("AKIAPLACEHOLDER00000", "AKIASOMEBODYELSE0000"),
            SIGNED.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
            SIGNED.replace("/aws4_request", ""),
            "AWS4-HMAC-SHA256 ".to_owned(),
            "Bearer AKIAPLACEHOLDER00000".to_owned(),
        ] {
            let headers = [("authorization", authorization.as_str())];
            assert!(
                signed("https://iam.amazonaws.com/", &headers, None, SignableBody::empty()).is_none(),
                "{authorization}"
            );
        }
    }
}
