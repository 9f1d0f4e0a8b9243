//! Why a bucket did not do what it was asked for, in one line and one word.

use std::error::Error;
use std::fmt;

use object_store::Error as StoreError;

/// Why a bucket did not do what it was asked for.
///
/// The errors of the store itself repeat their causes and quote whole answers; of those only the code and the message are
/// kept.
#[derive(Debug)]
pub struct StoreFailure {
    /// What a person must look at.
    pub kind: StoreFailureKind,
    message: String,
}

/// What a person must look at when a bucket does not do what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFailureKind {
    /// There are no credentials, or they are not valid any more.
    Credentials,
    /// The credentials are valid, and may not do this.
    Permission,
    /// There is no such bucket.
    NoBucket,
    /// The bucket is in another region than the one that was asked.
    OtherRegion,
    /// No answer came, within the retries.
    NoAnswer,
    /// The store answered something else.
    Refused,
}

/// Codes of <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>, all about who asks.
const CREDENTIALS: &[&str] = &[
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "NotSignedUp",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
];

/// Codes of the same list, all about where is asked.
const OTHER_REGION: &[&str] =
    &["AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect", "TemporaryRedirect"];

/// What the store says when it is redirected without being told where to; its error has no public type.
const BARE_REDIRECT: &str = "redirect without LOCATION";

impl StoreFailure {
    pub(crate) fn new(error: &StoreError) -> Self {
        let whole = error.to_string();
        let code = element(&whole, "Code");
        let kind = match (error, code) {
            (_, Some(code)) if CREDENTIALS.contains(&code) => StoreFailureKind::Credentials,
            (_, Some(code)) if OTHER_REGION.contains(&code) => StoreFailureKind::OtherRegion,
            (_, Some("NoSuchBucket")) => StoreFailureKind::NoBucket,
            (StoreError::Unauthenticated { .. }, _) => StoreFailureKind::Credentials,
            (StoreError::PermissionDenied { .. }, _) => StoreFailureKind::Permission,
            _ if whole.contains(BARE_REDIRECT) => StoreFailureKind::OtherRegion,
            (StoreError::Generic { .. }, None) => StoreFailureKind::NoAnswer,
            _ => StoreFailureKind::Refused,
        };
        let message = match (code, element(&whole, "Message")) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            (None, _) => innermost(error).to_string(),
        };
        Self { kind, message }
    }

    pub(crate) fn hint(&self) -> &'static str {
        match self.kind {
            StoreFailureKind::Credentials => {
                "sign in again (for example `aws sso login`), or choose other credentials with AWS_PROFILE"
            }
            StoreFailureKind::Permission => {
                "allow s3:GetObject and s3:PutObject on the journal's objects and s3:ListBucket on the bucket"
            }
            StoreFailureKind::NoBucket => "create the bucket, or correct the setting `journal`",
            StoreFailureKind::OtherRegion => "set AWS_REGION to the region of the bucket",
            StoreFailureKind::NoAnswer => "see whether the bucket can be reached from here, then run the command again",
            StoreFailureKind::Refused => "see whether the bucket can be read and written, then run the command again",
        }
    }
}

impl fmt::Display for StoreFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl Error for StoreFailure {}

/// The text of the first XML element with a name.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    Some(inner)
}

fn innermost(error: &StoreError) -> &dyn Error {
    let mut inner: &dyn Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: &str, code: &str) -> Box<dyn Error + Send + Sync> {
        format!(
            "Error performing GET http://s3/b/k in 2ms - Server returned non-2xx status code: {status}: \
             <?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>as {code} says</Message></Error>"
        )
        .into()
    }

    #[test]
    fn the_code_of_an_answer_says_what_to_look_at() {
        let path = || "k".to_owned();
        let cases = [
            (StoreError::NotFound { path: path(), source: answer("404", "NoSuchBucket") }, StoreFailureKind::NoBucket),
            (
                StoreError::Precondition { path: path(), source: answer("404", "NoSuchBucket") },
                StoreFailureKind::NoBucket,
            ),
            (
                StoreError::PermissionDenied { path: path(), source: answer("403", "AccessDenied") },
                StoreFailureKind::Permission,
            ),
            (
                StoreError::PermissionDenied { path: path(), source: answer("403", "InvalidAccessKeyId") },
                StoreFailureKind::Credentials,
            ),
            (StoreError::Generic { store: "S3", source: answer("400", "ExpiredToken") }, StoreFailureKind::Credentials),
            (
                StoreError::Generic { store: "S3", source: answer("301", "PermanentRedirect") },
                StoreFailureKind::OtherRegion,
            ),
            (StoreError::Generic { store: "S3", source: answer("501", "NotImplemented") }, StoreFailureKind::Refused),
        ];
        for (error, kind) in cases {
            let failure = StoreFailure::new(&error);
            assert_eq!(failure.kind, kind, "{error}");
            let code = element(&error.to_string(), "Code").unwrap().to_owned();
            assert_eq!(failure.to_string(), format!("{code}: as {code} says"));
        }
    }

    #[test]
    fn without_an_answer_the_innermost_cause_is_told() {
        let source = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused");
        let failure = StoreFailure::new(&StoreError::Generic { store: "S3", source: Box::new(source) });
        assert_eq!((failure.kind, failure.to_string().as_str()), (StoreFailureKind::NoAnswer, "connection refused"));
        let source = "Received redirect without LOCATION, this normally indicates an incorrectly configured region";
        let failure = StoreFailure::new(&StoreError::Generic { store: "S3", source: source.into() });
        assert_eq!(failure.kind, StoreFailureKind::OtherRegion);
    }

    #[test]
    fn missing_credentials_are_told_from_missing_permission() {
        let error = StoreError::Unauthenticated { path: "k".to_owned(), source: "none were found".into() };
        assert_eq!(StoreFailure::new(&error).kind, StoreFailureKind::Credentials);
        assert_eq!(StoreFailure::new(&error).to_string(), "none were found");
    }
}
