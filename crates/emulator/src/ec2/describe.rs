//! Descriptions: by identifier, by filter, in pages.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;
use serde_json::{Value, json};

use crate::ec2::{Call, Kind, Object};
use crate::error::{Answer, ApiError};

/// The filters of each kind that are understood, with the members that they look at. All have `tag:KEY` and `tag-key` besides.
fn filters(kind: Kind) -> &'static [(&'static str, &'static str)] {
    match kind {
        Kind::Vpc => &[("vpc-id", "VpcId"), ("cidr", "CidrBlock"), ("is-default", "IsDefault"), ("state", "State")],
        Kind::Subnet => &[
            ("subnet-id", "SubnetId"),
            ("vpc-id", "VpcId"),
            ("availability-zone", "AvailabilityZone"),
            ("cidr-block", "CidrBlock"),
            ("state", "State"),
        ],
        Kind::InternetGateway => {
            &[("internet-gateway-id", "InternetGatewayId"), ("attachment.vpc-id", "Attachments.VpcId")]
        }
        Kind::Address => &[
            ("allocation-id", "AllocationId"),
            ("association-id", "AssociationId"),
            ("network-interface-id", "NetworkInterfaceId"),
            ("public-ip", "PublicIp"),
        ],
        Kind::NatGateway => {
            &[("nat-gateway-id", "NatGatewayId"), ("subnet-id", "SubnetId"), ("vpc-id", "VpcId"), ("state", "State")]
        }
        Kind::RouteTable => &[
            ("route-table-id", "RouteTableId"),
            ("vpc-id", "VpcId"),
            ("association.main", "Associations.Main"),
            ("association.subnet-id", "Associations.SubnetId"),
            ("association.route-table-association-id", "Associations.RouteTableAssociationId"),
            ("route.nat-gateway-id", "Routes.NatGatewayId"),
            ("route.gateway-id", "Routes.GatewayId"),
        ],
        Kind::SecurityGroup => &[("group-id", "GroupId"), ("group-name", "GroupName"), ("vpc-id", "VpcId")],
        Kind::NetworkAcl => &[
            ("network-acl-id", "NetworkAclId"),
            ("vpc-id", "VpcId"),
            ("default", "IsDefault"),
            ("association.subnet-id", "Associations.SubnetId"),
        ],
        Kind::NetworkInterface => &[
            ("network-interface-id", "NetworkInterfaceId"),
            ("subnet-id", "SubnetId"),
            ("vpc-id", "VpcId"),
            ("status", "Status"),
            ("interface-type", "InterfaceType"),
        ],
        Kind::LaunchTemplate => &[("launch-template-name", "LaunchTemplateName")],
        Kind::Instance => &[
            ("instance-id", "InstanceId"),
            ("instance-state-name", "State"),
            ("vpc-id", "VpcId"),
            ("subnet-id", "SubnetId"),
        ],
        Kind::Volume => &[("volume-id", "VolumeId"), ("status", "Status"), ("availability-zone", "AvailabilityZone")],
    }
}

/// Describes the objects of a kind.
pub(super) fn describe(call: &mut Call<'_>, kind: Kind, list: &str, ids: &str) -> Answer {
    let wanted = call.texts(ids);
    for id in &wanted {
        call.ec2.get(kind, id)?;
    }
    let filters = Filters::read(kind, &call.parameters["Filters"], &call.parameters["Filter"])?;
    let found = call.ec2.all(kind).filter(|(id, _)| wanted.is_empty() || wanted.contains(&id.as_str()));
    let described = |object: &Object| {
        let mut value = object.described();
        // The only kind whose tags are called otherwise.
        if kind == Kind::NetworkInterface {
            value["TagSet"] = value["Tags"].take();
            value.as_object_mut().into_iter().for_each(|value| drop(value.remove("Tags")));
        }
        value
    };
    let found: Vec<Value> =
        found.filter(|(_, object)| filters.match_all(object)).map(|(_, object)| described(object)).collect();
    page(call, list, &found)
}

/// The part of a list that a call asks for.
pub(super) fn page(call: &Call<'_>, list: &str, found: &[Value]) -> Answer {
    let invalid = |name: &str| ApiError::new("InvalidParameterValue", format!("Invalid value for {name}"));
    let start = match call.parameters.get("NextToken").and_then(Value::as_str) {
        Some(token) => {
            let decoded = STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            decoded.and_then(|text| text.parse::<usize>().ok()).ok_or_else(|| invalid("nextToken"))?
        }
        None => 0,
    };
    let size = match call.parameters.get("MaxResults").map(Value::as_u64) {
        Some(size) => size.and_then(|size| usize::try_from(size).ok()).ok_or_else(|| invalid("maxResults"))?,
        None => found.len().max(1),
    };
    let end = found.len().min(start.saturating_add(size));
    let mut answer = json!({ list: found.get(start..end).unwrap_or_default() });
    if end < found.len() {
        answer["NextToken"] = json!(STANDARD.encode(end.to_string()));
    }
    Ok(answer)
}

/// What all of an object's filters must find.
struct Filters(Vec<Filter>);

struct Filter {
    place: Place,
    /// One of these must match.
    patterns: Vec<Pattern>,
}

enum Place {
    Tag(String),
    TagKey,
    Member(&'static str),
}

impl Filters {
    fn read(kind: Kind, filters: &Value, filter: &Value) -> Result<Self, ApiError> {
        let given = [filters, filter].into_iter().filter_map(Value::as_array).flatten();
        given.map(|filter| Filter::read(kind, filter)).collect::<Result<_, _>>().map(Self)
    }

    fn match_all(&self, object: &Object) -> bool {
        self.0.iter().all(|filter| filter.matches(object))
    }
}

impl Filter {
    fn read(kind: Kind, filter: &Value) -> Result<Self, ApiError> {
        let name = filter["Name"].as_str().unwrap_or_default();
        let place = match name.strip_prefix("tag:") {
            Some(key) => Place::Tag(key.to_owned()),
            None if name == "tag-key" => Place::TagKey,
            None => match filters(kind).iter().find(|(known, _)| *known == name) {
                Some((_, member)) => Place::Member(member),
                None => return Err(ApiError::new("InvalidParameterValue", format!("The filter '{name}' is invalid"))),
            },
        };
        let values = filter["Values"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let patterns: Vec<Pattern> = values.map(Pattern::read).collect();
        if patterns.is_empty() {
            return Err(ApiError::new("InvalidParameterValue", format!("The filter '{name}' has no values")));
        }
        Ok(Self { place, patterns })
    }

    fn matches(&self, object: &Object) -> bool {
        let is_match = |text: &str| self.patterns.iter().any(|pattern| pattern.is_match(text));
        match &self.place {
            Place::Tag(key) => object.tags.get(key).is_some_and(|value| is_match(value)),
            Place::TagKey => object.tags.keys().any(|key| is_match(key)),
            Place::Member(path) => {
                let (member, rest) = path.split_once('.').unwrap_or((path, ""));
                let found = object.value.get(member);
                match (found, rest) {
                    (Some(Value::Array(items)), rest) => items.iter().any(|item| is_match(&plain(&item[rest]))),
                    (Some(value), "") => is_match(&plain(value)),
                    (Some(_) | None, _) => false,
                }
            }
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What a whole text must be like; `*` and `?` stand for any letters.
pub(super) enum Pattern {
    Plain(String),
    Wild(Regex),
}

impl Pattern {
    pub(super) fn read(text: &str) -> Self {
        if !text.contains(['*', '?']) {
            return Self::Plain(text.to_owned());
        }
        let escaped = regex::escape(text).replace(r"\*", ".*").replace(r"\?", ".");
        // What is escaped can be compiled.
        Self::Wild(Regex::new(&format!("(?s)^{escaped}$")).expect("an escaped text is a pattern"))
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        match self {
            Self::Plain(plain) => plain == text,
            Self::Wild(wild) => wild.is_match(text),
        }
    }
}
