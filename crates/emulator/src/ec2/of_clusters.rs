//! What EKS makes and looks up in a customer's network.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::account::{ACCOUNT_ID, Chance, Region};
use crate::ec2::{Ec2, Kind, Object, interfaces};

impl Ec2 {
    /// The VPC and the zone of a subnet.
    pub(crate) fn place_of(&self, subnet: &str) -> Option<(String, String)> {
        let subnet = self.get(Kind::Subnet, subnet).ok()?;
        Some((subnet.text("VpcId").to_owned(), subnet.text("AvailabilityZone").to_owned()))
    }

    /// The launch template and the version that a node group names, with its identifier and name.
    pub(crate) fn launch_template(&self, wanted: &Value) -> Option<Value> {
        let by_id =
            wanted["id"].as_str().and_then(|id| Some((id.to_owned(), self.get(Kind::LaunchTemplate, id).ok()?)));
        let by_name = || {
            let mut found = self.with(Kind::LaunchTemplate, "LaunchTemplateName", wanted["name"].as_str()?);
            found.next().map(|(id, template)| (id.clone(), template))
        };
        let (id, template) = by_id.or_else(by_name)?;
        let usual = template.value["DefaultVersionNumber"].to_string();
        let version = wanted["version"].as_str().unwrap_or(&usual);
        let exists = template.versions.iter().any(|own| own["VersionNumber"].as_u64() == version.parse().ok());
        exists.then(|| json!({ "id": id, "name": template.text("LaunchTemplateName"), "version": version }))
    }

    /// The instance type that a version of a launch template names.
    pub(crate) fn instance_type(&self, named: &Value) -> Option<String> {
        let template = self.get(Kind::LaunchTemplate, named["id"].as_str()?).ok()?;
        let number = named["version"].as_str()?.parse::<u64>().ok()?;
        let version = template.versions.iter().find(|own| own["VersionNumber"].as_u64() == Some(number))?;
        version["LaunchTemplateData"]["InstanceType"].as_str().map(str::to_owned)
    }

    /// Removes what EKS made for a cluster: its interfaces, and its security group, unless something else still uses that.
    pub(crate) fn forget_cluster(&mut self, cluster: &str, tag: &str) {
        for kind in [Kind::NetworkInterface, Kind::SecurityGroup] {
            let used: BTreeSet<String> =
                self.all(Kind::NetworkInterface).flat_map(|(_, own)| interfaces::groups(own)).collect();
            if let Some(objects) = self.objects.get_mut(&kind) {
                objects.retain(|id, object| {
                    let is_of_cluster = object.tags.get(tag).is_some_and(|own| own == cluster);
                    !is_of_cluster || (kind == Kind::SecurityGroup && used.contains(id))
                });
            }
        }
    }
}

pub(super) fn insert(
    region: &mut Region,
    chance: &mut Chance,
    kind: Kind,
    mut value: Value,
    tags: BTreeMap<String, String>,
) -> String {
    let id = chance.id(kind.names().1);
    value[kind.id()] = json!(id);
    region.ec2.insert(kind, &id, Object::new(value, tags));
    id
}

/// Makes the security group of a cluster, and returns its identifier.
pub(crate) fn cluster_security_group(
    region: &mut Region,
    chance: &mut Chance,
    vpc: &str,
    cluster: &str,
    tag: &str,
) -> String {
    let name = format!("eks-cluster-sg-{cluster}-{}", chance.letters(9));
    let value = json!({
        "OwnerId": ACCOUNT_ID,
        "VpcId": vpc,
        "GroupName": name,
        "Description": "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes",
        "IpPermissions": [],
        "IpPermissionsEgress": [],
    });
    let owned = (format!("kubernetes.io/cluster/{cluster}"), "owned".to_owned());
    let tags = [("Name".to_owned(), name), owned, (tag.to_owned(), cluster.to_owned())];
    insert(region, chance, Kind::SecurityGroup, value, tags.into())
}
