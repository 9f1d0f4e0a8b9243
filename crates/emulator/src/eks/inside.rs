//! What is behind a control plane: who may ask its API, and what the cluster knows of the cloud around it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ipnet::IpNet;
use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;

use crate::account::{CALLER_ARN, Chance, Region};
use crate::autoscaling::AutoScaling;
use crate::ec2::Ec2;
use crate::eks::{Cluster, Object, access};
use crate::kubernetes::cloud::{Cloud, Group, Machine, Taint, Traits};
use crate::kubernetes::{Kubernetes, Request, Response, User, Watch};

/// From where everybody asks.
pub(crate) const CALLER_ADDRESS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);

/// What the token of a user of EKS begins with (<https://github.com/kubernetes-sigs/aws-iam-authenticator>).
const TOKEN_PREFIX: &str = "k8s-aws-v1.";

/// The tag that says what a machine of an empty group would be.
const TEMPLATE_PREFIX: &str = "k8s.io/cluster-autoscaler/node-template";

/// What a cluster sees of its region.
struct Surroundings<'a> {
    cluster: &'a Cluster,
    region: &'a str,
    autoscaling: &'a mut AutoScaling,
    ec2: &'a Ec2,
    chance: &'a mut Chance,
}

/// Does something with the cluster of this name in its surroundings.
pub(super) fn with<T>(
    region: &mut Region,
    chance: &mut Chance,
    name: &str,
    act: impl FnOnce(&mut Kubernetes, &mut dyn Cloud) -> T,
) -> Option<T> {
    let mut kubernetes = region.eks.clusters.get_mut(name)?.kubernetes.take()?;
    let cluster = region.eks.clusters.get(name)?;
    let mut surroundings =
        Surroundings { cluster, region: &region.name, autoscaling: &mut region.autoscaling, ec2: &region.ec2, chance };
    let done = act(&mut kubernetes, &mut surroundings);
    let cluster = region.eks.clusters.get_mut(name)?;
    cluster.kubernetes = Some(kubernetes);
    // A group is as large as its autoscaling group.
    for group in cluster.nodegroups.values_mut() {
        if let Some(desired) = region.autoscaling.desired(autoscaling_group(group))
            && let Some(Value::Object(scaling)) = group.value.get_mut("scalingConfig")
        {
            scaling.insert("desiredSize".to_owned(), json!(desired));
        }
    }
    Some(done)
}

/// The cluster with this endpoint; nothing when it cannot be reached from where everybody asks.
pub(crate) fn reachable(region: &Region, endpoint: &str) -> Option<(String, String)> {
    let (name, cluster) = region.eks.clusters.iter().find(|(_, cluster)| cluster.endpoint == endpoint)?;
    let network = &cluster.own.value["resourcesVpcConfig"];
    let is_open = network["endpointPublicAccess"] == true
        && network["publicAccessCidrs"].as_array().into_iter().flatten().any(|block| {
            let block = block.as_str().and_then(|block| block.parse::<IpNet>().ok());
            block.is_some_and(|block| block.contains(&IpAddr::V4(CALLER_ADDRESS)))
        });
    let answers = matches!(cluster.own.status(), "ACTIVE" | "UPDATING");
    (is_open && answers).then(|| (name.clone(), cluster.own.text("version").to_owned()))
}

/// Answers a request to the API of a cluster.
pub(crate) fn answer(
    region: &mut Region,
    chance: &mut Chance,
    name: &str,
    token: &str,
    mut request: Request,
    now: Timestamp,
) -> Option<Response> {
    request.user = user(region.eks.clusters.get(name)?, token);
    with(region, chance, name, |kubernetes, cloud| kubernetes.answer(&request, now, cloud))
}

/// What there is to tell to whoever watches the objects of a cluster; nothing when the watch has ended, or the cluster is gone.
pub(crate) fn follow(
    region: &mut Region,
    chance: &mut Chance,
    name: &str,
    watch: &mut Watch,
    now: Timestamp,
) -> Option<Vec<Value>> {
    with(region, chance, name, |kubernetes, cloud| kubernetes.follow(watch, now, cloud))?
}

/// Whose token it is. Signatures are not checked: the keys are made up.
fn user(cluster: &Cluster, token: &str) -> Option<User> {
    let signed = URL_SAFE_NO_PAD.decode(token.strip_prefix(TOKEN_PREFIX)?).ok()?;
    let url = Url::parse(&String::from_utf8(signed).ok()?).ok()?;
    let parameters: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let is = |name: &str, value: &str| parameters.get(name).is_some_and(|present| present == value);
    let signs_cluster =
        parameters.get("X-Amz-SignedHeaders").is_some_and(|names| names.split(';').any(|name| name == "x-k8s-aws-id"));
    let is_token = url.host_str()?.starts_with("sts.") && is("Action", "GetCallerIdentity") && signs_cluster;
    let entry = cluster.entries.get(CALLER_ARN).filter(|_| is_token)?;
    let is_administrator = entry.policies.contains_key(access::ADMIN_POLICY);
    Some(User { name: CALLER_ARN.to_owned(), is_administrator })
}

fn autoscaling_group(group: &Object) -> &str {
    group.value["resources"]["autoScalingGroups"][0]["name"].as_str().unwrap_or_default()
}

impl Surroundings<'_> {
    /// What a machine of a node group is.
    fn traits(&self, name: &str, group: &Object) -> Traits {
        let mut labels = BTreeMap::from([
            ("eks.amazonaws.com/nodegroup".to_owned(), name.to_owned()),
            ("eks.amazonaws.com/capacityType".to_owned(), group.text("capacityType").to_owned()),
        ]);
        let own = group.value["labels"].as_object().into_iter().flatten();
        labels.extend(own.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())));
        let taints = group.value.get("taints").and_then(Value::as_array).into_iter().flatten();
        let taint = |taint: &Value| {
            let text = |member: &str| taint[member].as_str().unwrap_or_default();
            let effect = match text("effect") {
                "NO_SCHEDULE" => "NoSchedule",
                "NO_EXECUTE" => "NoExecute",
                _ => "PreferNoSchedule",
            };
            Taint { key: text("key").to_owned(), value: text("value").to_owned(), effect: effect.to_owned() }
        };
        Traits { instance_type: self.instance_type(group), labels, taints: taints.map(taint).collect() }
    }

    fn instance_type(&self, group: &Object) -> String {
        let of_template = group.value.get("launchTemplate").and_then(|template| self.ec2.instance_type(template));
        let first = || group.value.get("instanceTypes")?[0].as_str().map(str::to_owned);
        of_template.or_else(first).unwrap_or_else(|| "t3.medium".to_owned())
    }
}

impl Cloud for Surroundings<'_> {
    fn machines(&self) -> Vec<Machine> {
        let mut machines = Vec::new();
        for (name, group) in &self.cluster.nodegroups {
            let traits = self.traits(name, group);
            for instance in self.autoscaling.instances(autoscaling_group(group)) {
                machines.push(Machine {
                    id: instance.id.clone(),
                    node: node_name(&instance.id, self.region),
                    joins: instance.joins,
                    ready: instance.ready,
                    zone: instance.zone.clone(),
                    region: self.region.to_owned(),
                    traits: traits.clone(),
                    version: group.text("version").to_owned(),
                });
            }
        }
        machines
    }

    fn groups(&self, tags: &[&str]) -> Vec<Group> {
        let found = self.cluster.nodegroups.values().filter_map(|group| {
            let name = autoscaling_group(group);
            let present = self.autoscaling.tags(name)?;
            if !tags.iter().all(|tag| present.contains_key(*tag)) {
                return None;
            }
            let (min, max, desired) = self.autoscaling.bounds(name)?;
            let machines = self.autoscaling.instances(name).iter().map(|instance| instance.id.clone()).collect();
            let template = template(&present, self.instance_type(group));
            Some(Group { name: name.to_owned(), min, max, desired, machines, template })
        });
        found.collect()
    }

    fn resize(&mut self, group: &str, desired: u64, now: Timestamp) {
        self.autoscaling.set_desired(group, desired, now, self.chance);
    }

    fn terminate(&mut self, machine: &str) {
        self.autoscaling.terminate(machine);
    }

    fn has_role(&self, namespace: &str, service_account: &str) -> bool {
        self.cluster
            .associations
            .values()
            .any(|own| own.text("namespace") == namespace && own.text("serviceAccount") == service_account)
    }

    fn chance(&mut self) -> &mut Chance {
        self.chance
    }
}

/// What the tags of an autoscaling group say of a machine that is not there yet: nothing else is known of it
/// (<https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/cloudprovider/aws/README.md>).
fn template(tags: &BTreeMap<String, String>, instance_type: String) -> Traits {
    let with_prefix = |kind: &str| {
        let prefix = format!("{TEMPLATE_PREFIX}/{kind}/");
        let found =
            tags.iter().filter_map(move |(tag, value)| Some((tag.strip_prefix(&prefix)?.to_owned(), value.clone())));
        found.collect::<Vec<_>>()
    };
    let taint = |(key, value): (String, String)| {
        let (value, effect) = value.split_once(':').unwrap_or((value.as_str(), ""));
        Taint { key, value: value.to_owned(), effect: effect.to_owned() }
    };
    let labels = with_prefix("label").into_iter().collect();
    Traits { instance_type, labels, taints: with_prefix("taint").into_iter().map(taint).collect() }
}

/// The private DNS name of a machine.
fn node_name(id: &str, region: &str) -> String {
    let digits = id.get(id.len().saturating_sub(4)..).unwrap_or_default();
    let number = u16::from_str_radix(digits, 16).unwrap_or_default();
    let [third, fourth] = number.to_be_bytes();
    let domain = if region == "us-east-1" { "ec2.internal".to_owned() } else { format!("{region}.compute.internal") };
    format!("ip-10-42-{third}-{fourth}.{domain}")
}
