//! How often a caller may call: for each operation a bucket of tokens, which a call takes and time gives back.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::faults;
use crate::wire::Request;

/// How many tokens there may be at once, and how many come back each second.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Limit {
    capacity: f64,
    refill_per_sec: f64,
}

impl Limit {
    const fn new(capacity: f64, refill_per_sec: f64) -> Self {
        Self { capacity, refill_per_sec }
    }
}

/// Of EC2, for each operation: <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>.
const READS: Limit = Limit::new(100.0, 20.0);
const UNFILTERED_READS: Limit = Limit::new(50.0, 10.0);
const CHANGES: Limit = Limit::new(50.0, 5.0);

/// The reads of EC2 that cost more when they are neither filtered nor paginated. Same source.
const DEAR_READS: [&str; 5] = [
    "DescribeInstances",
    "DescribeInstanceStatus",
    "DescribeNetworkInterfaces",
    "DescribeSecurityGroups",
    "DescribeVolumes",
];

/// The operations of EC2 with numbers of their own. Same source.
const OWN: [(&str, Limit); 12] = [
    ("AssociateIamInstanceProfile", Limit::new(100.0, 5.0)),
    ("CreateLaunchTemplateVersion", Limit::new(100.0, 5.0)),
    ("CreateNatGateway", Limit::new(10.0, 1.0)),
    ("CreateTags", Limit::new(100.0, 10.0)),
    ("DeleteNatGateway", Limit::new(10.0, 1.0)),
    ("DeleteTags", Limit::new(100.0, 10.0)),
    ("DeleteVolume", Limit::new(100.0, 5.0)),
    ("DisassociateIamInstanceProfile", Limit::new(100.0, 5.0)),
    ("ModifyInstanceMetadataOptions", Limit::new(100.0, 5.0)),
    ("RunInstances", Limit::new(5.0, 2.0)),
    ("StartInstances", Limit::new(5.0, 2.0)),
    ("TerminateInstances", Limit::new(100.0, 5.0)),
];

/// The operations of EC2 that also take a token for each instance. Same source.
const BY_INSTANCE: [(&str, Limit); 4] = [
    ("RunInstances", Limit::new(1000.0, 2.0)),
    ("StartInstances", Limit::new(1000.0, 2.0)),
    ("StopInstances", Limit::new(1000.0, 20.0)),
    ("TerminateInstances", Limit::new(1000.0, 20.0)),
];

/// Of S3, for each prefix: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html>.
const OBJECT_READS: Limit = Limit::new(5500.0, 5500.0);
const OBJECT_CHANGES: Limit = Limit::new(3500.0, 3500.0);

/// Of the other services, which publish no numbers: an assumption, below what the field reports.
const OTHER_READS: Limit = Limit::new(50.0, 10.0);
const OTHER_CHANGES: Limit = Limit::new(20.0, 5.0);

/// The buckets of an account, by region and what is limited.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buckets(BTreeMap<(String, String), Bucket>);

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    time: Timestamp,
}

impl Buckets {
    /// Takes what a call costs; nothing and `false` when there is too little of it.
    pub(crate) fn take(&mut self, request: &Request, now: Timestamp) -> bool {
        let costs = costs(request.service, &request.operation.name, &request.parameters);
        let places: Vec<_> =
            costs.into_iter().map(|(name, limit, cost)| ((request.region.clone(), name), limit, cost)).collect();
        let has_room = |buckets: &Self| {
            places.iter().all(|(place, limit, cost)| buckets.filled(place, *limit, now) >= cost.min(limit.capacity))
        };
        if !has_room(self) {
            return false;
        }
        for (place, limit, cost) in &places {
            let tokens = self.filled(place, *limit, now) - cost;
            self.0.insert(place.clone(), Bucket { tokens, time: now });
        }
        true
    }

    /// How many tokens are in a bucket now.
    fn filled(&self, place: &(String, String), limit: Limit, now: Timestamp) -> f64 {
        let refilled = |bucket: &Bucket| {
            let passed_secs = now.duration_since(bucket.time).as_secs_f64();
            passed_secs.mul_add(limit.refill_per_sec, bucket.tokens).min(limit.capacity)
        };
        self.0.get(place).map_or(limit.capacity, refilled)
    }
}

/// What a call takes: of which bucket, with which limit, how many tokens.
fn costs(service: &str, operation: &str, parameters: &Value) -> Vec<(String, Limit, f64)> {
    let mutates = faults::mutates(operation);
    let name = format!("{service}:{operation}");
    if service == "s3" {
        return vec![(name, if mutates { OBJECT_CHANGES } else { OBJECT_READS }, 1.0)];
    }
    if service != "ec2" {
        return vec![(name, if mutates { OTHER_CHANGES } else { OTHER_READS }, 1.0)];
    }
    let is_given = |member: &str| parameters.get(member).is_some();
    if DEAR_READS.contains(&operation) && !is_given("Filters") && !is_given("MaxResults") {
        return vec![(format!("{name} unfiltered"), UNFILTERED_READS, 1.0)];
    }
    let own = OWN.into_iter().find(|(own, _)| *own == operation).map(|(_, limit)| limit);
    let usual = if mutates { CHANGES } else { READS };
    let mut costs = vec![(name.clone(), own.unwrap_or(usual), 1.0)];
    if let Some((_, limit)) = BY_INSTANCE.into_iter().find(|(own, _)| *own == operation) {
        costs.push((format!("{name} by instance"), limit, instances(parameters)));
    }
    costs
}

/// How many instances a call is about.
fn instances(parameters: &Value) -> f64 {
    let listed = parameters.get("InstanceIds").and_then(Value::as_array).map(|ids| u32::try_from(ids.len()).ok());
    let wanted = parameters.get("MaxCount").and_then(Value::as_u64).map(|count| u32::try_from(count).ok());
    f64::from(listed.or(wanted).flatten().unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use serde_json::json;

    use super::*;
    use crate::model::SERVICES;

    fn request(service: &'static str, operation: &str, parameters: Value) -> Request {
        let operation = &SERVICES[service].operations[operation];
        let (region, access_key) = ("us-east-1".to_owned(), String::new());
        Request { service, operation, region, access_key, parameters }
    }

    /// How many of so many equal calls at once are carried out.
    fn taken(buckets: &mut Buckets, request: &Request, count: usize, now: Timestamp) -> usize {
        (0..count).filter(|_| buckets.take(request, now)).count()
    }

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let (mut buckets, now) = (Buckets::default(), Timestamp::UNIX_EPOCH);
        let gateway = request("ec2", "CreateNatGateway", json!({}));
        assert_eq!(taken(&mut buckets, &gateway, 20, now), 10);
        let later = now + SignedDuration::from_secs(3);
        assert_eq!(taken(&mut buckets, &gateway, 20, later), 3);
        let much_later = later + SignedDuration::from_hours(1);
        assert_eq!(taken(&mut buckets, &gateway, 20, much_later), 10, "it does not overflow");
    }

    #[test]
    fn each_operation_has_a_bucket_of_its_own() {
        let (mut buckets, now) = (Buckets::default(), Timestamp::UNIX_EPOCH);
        let (create, delete) = (request("ec2", "CreateVpc", json!({})), request("ec2", "DeleteVpc", json!({})));
        assert_eq!(taken(&mut buckets, &create, 60, now), 50);
        assert_eq!(taken(&mut buckets, &delete, 60, now), 50);
    }

    #[test]
    fn what_is_not_filtered_costs_more_and_instances_cost_each() {
        let (mut buckets, now) = (Buckets::default(), Timestamp::UNIX_EPOCH);
        let filtered = json!({ "Filters": [{ "Name": "vpc-id", "Values": ["vpc-1"] }] });
        assert_eq!(taken(&mut buckets, &request("ec2", "DescribeInstances", json!({})), 200, now), 50);
        assert_eq!(taken(&mut buckets, &request("ec2", "DescribeInstances", filtered), 200, now), 100);
        let many = request("ec2", "RunInstances", json!({ "MaxCount": 600 }));
        assert_eq!(taken(&mut buckets, &many, 3, now), 1, "two would be 1,200 instances");
    }
}
