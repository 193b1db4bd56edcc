//! The errors of AWS, for its command line and SDKs: of an XML body that is none of these they show nothing. Services that
//! speak JSON read the `message` of ours.

use html_escape::encode_text as escape;
use http::{HeaderMap, header};

/// How a service says that something failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// S3 (API reference, "Error responses").
    S3,
    /// Services with a query API, such as STS and EC2.
    Query,
}

/// What a signed request's client reads, if that is XML. The service stands in the signature's scope
/// (`Credential=KEY/date/region/service/aws4_request`).
pub(super) fn asked(headers: &HeaderMap) -> Option<Form> {
    let text = |name| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let signature = text(header::AUTHORIZATION);
    let (_, scope) = signature.strip_prefix("AWS4-")?.split_once("Credential=")?;
    let service = scope.split(',').next()?.split('/').nth_back(1)?;
    if service.starts_with("s3") {
        return Some(Form::S3);
    }
    text(header::CONTENT_TYPE).starts_with("application/x-www-form-urlencoded").then_some(Form::Query)
}

pub(super) fn told(form: Form, code: &str, message: &str) -> String {
    let error = format!("<Code>{}</Code><Message>{}</Message>", escape(code), escape(message));
    let body = match form {
        Form::S3 => format!("<Error>{error}</Error>"),
        Form::Query => {
            format!(
                "<ErrorResponse><Error><Type>Sender</Type>{error}</Error><RequestId>rampart</RequestId></ErrorResponse>"
            )
        }
    };
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}\n")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_service_stands_in_the_signature() {
        let scope = |service: &str| {
            format!("AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host")
        };
        for (authorization, kind, form) in [
            (scope("s3"), "", Some(Form::S3)),
            (scope("s3express"), "", Some(Form::S3)),
            (scope("sts"), "application/x-www-form-urlencoded; charset=utf-8", Some(Form::Query)),
            (scope("dynamodb"), "application/x-amz-json-1.0", None),
            (scope("lambda"), "", None),
            ("AWS4-HMAC-SHA256 Credential=s3".to_owned(), "", None),
            ("Bearer AWS4-Credential=a/s3/aws4_request".to_owned(), "", None),
            (String::new(), "application/x-www-form-urlencoded", None),
        ] {
            let headers = HeaderMap::from_iter([
                (header::AUTHORIZATION, HeaderValue::try_from(&authorization).unwrap()),
                (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
            ]);
            assert_eq!(asked(&headers), form, "{authorization} {kind}");
        }
    }

    #[test]
    fn nothing_of_a_message_becomes_markup() {
        let told = told(Form::S3, "Blocked", "a <b> & c");
        assert!(told.contains("<Message>a &lt;b&gt; &amp; c</Message>"), "{told}");
    }
}
