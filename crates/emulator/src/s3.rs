//! Amazon S3, as far as journals need it: buckets, and objects that are read and written as a whole, on conditions.
//!
//! Every read sees every write before it, as S3 has promised since 2020:
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel>.

use std::collections::BTreeMap;

use axum::body::Bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use md5::{Digest, Md5};
use serde_json::{Map, Value, json};

use crate::error::{Answer, ApiError};
use crate::wire::{Request, seconds};

/// What there is.
#[derive(Clone, Debug, Default)]
pub(crate) struct S3 {
    /// The region of each bucket.
    buckets: BTreeMap<String, String>,
    /// By ARN.
    objects: BTreeMap<String, Object>,
}

#[derive(Clone, Debug)]
struct Object {
    content: Bytes,
    content_type: String,
    /// With its quotation marks.
    entity_tag: String,
    /// By the names of the model, as the writer gave them. Whether they are right is for the reader to see.
    checksums: Map<String, Value>,
    modified: Timestamp,
}

/// The parameters that mean something here, but for checksums. Whatever else is asked for is refused, and not passed over.
const UNDERSTOOD: [&str; 7] = ["Body", "Bucket", "ContentLength", "ContentType", "IfMatch", "IfNoneMatch", "Key"];

/// Where a bucket is made when nobody says where.
const FIRST_REGION: &str = "us-east-1";

/// Carries out an operation. Whoever `may_list` a bucket is told that an object is not there.
pub(crate) fn call(request: &Request, s3: &mut S3, may_list: bool, now: Timestamp) -> Answer {
    let parameters = request.parameters.as_object().into_iter().flatten();
    let unknown = parameters
        .map(|(name, _)| name)
        .find(|name| !UNDERSTOOD.contains(&name.as_str()) && !name.starts_with("Checksum"));
    if let Some(name) = unknown {
        return Err(not_implemented(name));
    }
    let text = |name: &str| request.parameters.get(name).and_then(Value::as_str);
    let (bucket, key) = (text("Bucket").unwrap_or_default(), text("Key").unwrap_or_default());
    if request.operation.name == "CreateBucket" {
        return s3.create_bucket(bucket, &request.region);
    }
    s3.check_bucket(bucket, &request.region)?;
    let arn = arn(bucket, key);
    match request.operation.name.as_str() {
        // A condition that is not met would be an answer of its own.
        "GetObject" if text("IfMatch").or_else(|| text("IfNoneMatch")).is_some() => Err(not_implemented("IfMatch")),
        "GetObject" => match s3.objects.get(&arn) {
            Some(object) => {
                let mut answer = object.checksums.clone();
                answer.retain(|_, _| text("ChecksumMode").is_some());
                answer.insert("AcceptRanges".to_owned(), json!("bytes"));
                answer.insert("Body".to_owned(), json!(STANDARD.encode(&object.content)));
                answer.insert("ContentLength".to_owned(), json!(object.content.len()));
                answer.insert("ContentType".to_owned(), json!(object.content_type));
                answer.insert("ETag".to_owned(), json!(object.entity_tag));
                answer.insert("LastModified".to_owned(), json!(seconds(object.modified)));
                Ok(Value::Object(answer))
            }
            None if may_list => Err(no_such_key()),
            None => Err(ApiError::new("AccessDenied", "Access Denied").with_status(403)),
        },
        "PutObject" => {
            let there = s3.objects.get(&arn).map(|object| object.entity_tag.as_str());
            check_conditions(there, text("IfMatch"), text("IfNoneMatch"))?;
            let content = STANDARD.decode(text("Body").unwrap_or_default());
            let content = content.map_err(|error| ApiError::internal(error.to_string()))?;
            let mut object = Object::new(content.into(), text("ContentType"), now);
            let given = request.parameters.as_object().into_iter().flatten();
            let is_checksum = |name: &str| name.starts_with("Checksum") && name != "ChecksumAlgorithm";
            let checksums = given.filter(|(name, _)| is_checksum(name));
            object.checksums = checksums.map(|(name, sum)| (name.clone(), sum.clone())).collect();
            let mut answer = object.checksums.clone();
            answer.insert("ETag".to_owned(), json!(object.entity_tag));
            s3.objects.insert(arn, object);
            Ok(Value::Object(answer))
        }
        other => Err(ApiError::internal(format!("{other} is not emulated"))),
    }
}

impl Object {
    fn new(content: Bytes, content_type: Option<&str>, modified: Timestamp) -> Self {
        let entity_tag = format!("\"{}\"", hex::encode(Md5::digest(&content)));
        let content_type = content_type.unwrap_or("binary/octet-stream").to_owned();
        Self { content, content_type, entity_tag, checksums: Map::new(), modified }
    }
}

impl S3 {
    /// Lets a bucket be there that somebody else has made.
    pub(crate) fn provide_bucket(&mut self, bucket: &str, region: &str) {
        self.buckets.insert(bucket.to_owned(), region.to_owned());
    }

    /// Lets an object be there that somebody else has written.
    pub(crate) fn provide_object(&mut self, bucket: &str, key: &str, content: &str, now: Timestamp) {
        let content = Bytes::copy_from_slice(content.as_bytes());
        self.objects.insert(arn(bucket, key), Object::new(content, None, now));
    }

    /// Loses the objects of these keys.
    pub(crate) fn lose(&mut self, bucket: &str, is_lost: impl Fn(&str) -> bool) {
        let of_bucket = arn(bucket, "");
        self.objects.retain(|arn, _| !arn.strip_prefix(&of_bucket).is_some_and(&is_lost));
    }

    /// The ARN of every object.
    pub(crate) fn identifiers(&self) -> impl Iterator<Item = &str> {
        self.objects.keys().map(String::as_str)
    }

    /// An object as far as one can see that it changes.
    pub(crate) fn described(&self, arn: &str) -> Option<Value> {
        self.objects
            .get(arn)
            .map(|object| json!({ "ETag": object.entity_tag, "LastModified": seconds(object.modified) }))
    }

    fn create_bucket(&mut self, bucket: &str, region: &str) -> Answer {
        if region != FIRST_REGION {
            let message = "The unspecified location constraint is incompatible for the region specific endpoint";
            return Err(ApiError::new("IllegalLocationConstraintException", message).with_status(400));
        }
        // In this region alone, one's own bucket may be made again.
        self.provide_bucket(bucket, region);
        Ok(json!({ "Location": format!("/{bucket}") }))
    }

    fn check_bucket(&self, bucket: &str, region: &str) -> Result<(), ApiError> {
        match self.buckets.get(bucket) {
            None => Err(ApiError::new("NoSuchBucket", "The specified bucket does not exist").with_status(404)),
            Some(own) if own != region => {
                let message =
                    format!("The authorization header is malformed; the region '{region}' is wrong; expecting '{own}'");
                Err(ApiError::new("AuthorizationHeaderMalformed", message).with_status(400))
            }
            Some(_) => Ok(()),
        }
    }
}

/// On which conditions an object is written: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>.
fn check_conditions(there: Option<&str>, wanted: Option<&str>, unwanted: Option<&str>) -> Result<(), ApiError> {
    let failed = || {
        let message = "At least one of the pre-conditions you specified did not hold";
        ApiError::new("PreconditionFailed", message).with_status(412)
    };
    match (there, wanted, unwanted) {
        (_, Some(_), Some(_)) => Err(not_implemented("IfNoneMatch")),
        (_, _, Some(unwanted)) if unwanted != "*" => Err(not_implemented("IfNoneMatch")),
        (Some(_), _, Some(_)) => Err(failed()),
        (None, Some(_), _) => Err(no_such_key()),
        (Some(there), Some(wanted), _) if there.trim_matches('"') != wanted.trim_matches('"') => Err(failed()),
        _ => Ok(()),
    }
}

fn arn(bucket: &str, key: &str) -> String {
    format!("arn:aws:s3:::{bucket}/{key}")
}

fn no_such_key() -> ApiError {
    ApiError::new("NoSuchKey", "The specified key does not exist.").with_status(404)
}

fn not_implemented(parameter: &str) -> ApiError {
    let message = format!("A header you provided implies functionality that is not implemented: {parameter}");
    ApiError::new("NotImplemented", message).with_status(501)
}
