//! What a caller must be allowed: policies of IAM, with no more than what a specification needs.
//!
//! Which calls are needed is not said here: they are recorded in a rehearsal. This says what each call means to IAM, and which
//! resources and tags limit it. Source: AWS's Service Authorization Reference, the pages of EC2, EKS, IAM and EC2 Auto Scaling.

mod actions;
mod document;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use howso_infra_core::Permissions;
use howso_infra_core::identity::CLUSTER_TAG;
use howso_infra_core::spec::ClusterSpec;
use serde_json::{Value, json};

use crate::audit::CNI_TAG;
use crate::iam::{iam_name_prefix, managed_policies};
use crate::network::EKS_TAG;
use crate::options::EksOptions;
use actions::{
    Action, CHANGE, CHANGE_CLIENT, MAKE_CLIENT_ELSEWHERE, MAKE_CLIENT_IN_EC2, MAKE_ELSEWHERE, MAKE_IN_EC2,
    READ_WITHOUT_RESOURCES, REMOVE,
};
use document::{Document, Statement};

/// Who takes on the roles that are handed over: the control plane, nodes, and pods.
const ROLE_SERVICES: [&str; 3] = ["eks.amazonaws.com", "ec2.amazonaws.com", "pods.eks.amazonaws.com"];

/// Services whose own roles EKS makes in the caller's name when an account gets its first cluster.
const LINKED_SERVICES: [&str; 3] = ["autoscaling.amazonaws.com", "eks-nodegroup.amazonaws.com", "eks.amazonaws.com"];

/// The policies for a specification, limited to what `calls` needs; each is named as in `ec2:CreateVpc`.
pub(crate) fn permissions(spec: &ClusterSpec, options: &EksOptions, calls: &BTreeSet<String>) -> Permissions {
    let writer = Writer { spec, options, calls };
    Permissions {
        read: writer.read(),
        apply: writer.apply(),
        client: spec.client.as_ref().map(|_| writer.client()),
        destroy: writer.destroy(),
    }
}

/// Writes the policies.
struct Writer<'a> {
    spec: &'a ClusterSpec,
    options: &'a EksOptions,
    calls: &'a BTreeSet<String>,
}

/// Which tags limit a statement.
#[derive(Clone, Copy)]
enum Tagged {
    /// Those that the call gives.
    ByCall,
    /// Those of the resource.
    Already,
}

impl Writer<'_> {
    fn read(&self) -> Value {
        let mut reads: BTreeSet<&str> = self.calls.iter().map(String::as_str).filter(|call| is_read(call)).collect();
        let mut take = |is_taken: &dyn Fn(&str) -> bool| {
            let taken: Vec<&str> = reads.iter().copied().filter(|call| is_taken(call)).collect();
            reads.retain(|call| !is_taken(call));
            taken
        };
        let anywhere = take(&|call| READ_WITHOUT_RESOURCES.contains(&call));
        let of_cluster = take(&|call| call.starts_with("eks:"));
        let of_profiles = take(&|call| call == "iam:GetInstanceProfile");
        let of_roles = take(&|call| call.starts_with("iam:"));
        let of_networks = take(&|call| call == "ec2:DescribeVpcAttribute");
        let of_journal = take(&|call| call.starts_with("s3:"));
        let anywhere = anywhere.into_iter().chain(reads).collect();
        let mut document = Document::default();
        document.add(Statement::new("ReadEverywhere", anywhere, vec!["*".to_owned()]));
        document.add(Statement::new("ReadNetworks", of_networks, vec![self.ec2("vpc/*")]));
        document.add(Statement::new("ReadCluster", of_cluster, self.own("eks")));
        // The role of a machine for clients is looked for also where every other one is brought: it may be there from before.
        document.add(Statement::new("ReadRoles", of_roles, vec![self.own_in_iam("role")]));
        document.add(Statement::new("ReadProfiles", of_profiles, vec![self.own_in_iam("instance-profile")]));
        if self.calls.contains("ec2:RunInstances") {
            let (partition, region) = (self.partition(), &self.spec.location);
            let names = format!("arn:{partition}:ssm:{region}:*:parameter/aws/service/ami-amazon-linux-latest/*");
            document.add(Statement::new("FindImages", vec!["ssm:GetParameters"], vec![names]));
        }
        if let Some(key) = &self.options.kms_key {
            document.add(Statement::new("ReadKey", vec!["kms:DescribeKey"], vec![key.clone()]));
        }
        if let Some([bucket, objects]) = self.journal() {
            document.add(Statement::new("FindJournal", vec!["s3:ListBucket"], vec![bucket]));
            document.add(Statement::new("ReadJournal", of_journal, vec![objects]));
        }
        document.written()
    }

    fn apply(&self) -> Value {
        let mut document = Document::default();
        document.add(self.statement("Make", &[MAKE_IN_EC2, MAKE_ELSEWHERE], Tagged::ByCall));
        document.add(self.tag_what_is_made(MAKE_IN_EC2));
        // A cluster cannot be named before it exists.
        let make = Statement::new("MakeCluster", vec!["eks:CreateCluster"], vec!["*".to_owned()]);
        document.add(self.limited(make, Tagged::ByCall));
        document.add(self.statement("Change", &[CHANGE], Tagged::Already));
        if self.calls.contains("ec2:CreateLaunchTemplate") {
            let resources =
                vec![self.ec2("*"), format!("arn:{}:ec2:{}::image/*", self.partition(), self.spec.location)];
            let statement = Statement::new("TryLaunchTemplates", vec!["ec2:RunInstances"], resources);
            document.add(statement.when("ArnLike", "ec2:LaunchTemplate", json!(self.ec2("launch-template/*"))));
        }
        self.apply_to_roles(&mut document);
        self.tags_of_groups(&["autoscaling:CreateOrUpdateTags", "autoscaling:DeleteTags"], &mut document);
        if let Some(key) = &self.options.kms_key {
            document.add(Statement::new("UseKey", vec!["kms:CreateGrant", "kms:DescribeKey"], vec![key.clone()]));
        }
        self.write_journal(&mut document);
        document.written()
    }

    /// Making tags what it makes, and nothing else.
    fn tag_what_is_made(&self, makes: &'static [Action]) -> Statement {
        let creations: Vec<&str> = self.needed(&[makes]).map(|action| action.name.trim_start_matches("ec2:")).collect();
        let actions = if creations.is_empty() { Vec::new() } else { vec!["ec2:CreateTags"] };
        let tag = self.limited(Statement::new("TagWhatIsMade", actions, self.own("ec2")), Tagged::ByCall);
        tag.when("StringEquals", "ec2:CreateAction", json!(creations))
    }

    /// What the machine for clients needs: images of AWS, and the network that the user brings, which has no tag of ours.
    fn client(&self) -> Value {
        let mut document = Document::default();
        document.add(self.statement("Make", &[MAKE_CLIENT_IN_EC2, MAKE_CLIENT_ELSEWHERE], Tagged::ByCall));
        document.add(self.tag_what_is_made(MAKE_CLIENT_IN_EC2));
        document.add(self.statement("Change", &[CHANGE_CLIENT], Tagged::Already));
        // Only images have an owner, so nothing else is allowed by this; linters want all that an action is on in one statement.
        let images = vec![self.ec2("*"), format!("arn:{}:ec2:{}::image/*", self.partition(), self.spec.location)];
        let of_aws = Statement::new("UseImages", vec!["ec2:RunInstances"], images);
        document.add(of_aws.when("StringEquals", "ec2:Owner", json!("amazon")));
        let network = &self.options.network;
        let subnets = network.private_subnets.iter().map(|subnet| self.ec2(&format!("subnet/{subnet}"))).collect();
        document.add(Statement::new("UseSubnets", vec!["ec2:RunInstances"], subnets));
        let vpc = network.vpc.iter().map(|vpc| self.ec2(&format!("vpc/{vpc}"))).collect();
        document.add(Statement::new("UseNetwork", vec!["ec2:CreateSecurityGroup"], vpc));
        document.written()
    }

    fn apply_to_roles(&self, document: &mut Document) {
        let boundary = self.options.iam.permissions_boundary.as_deref();
        let bounded = |statement: Statement| match boundary {
            Some(boundary) => statement.when("ArnEquals", "iam:PermissionsBoundary", json!(boundary)),
            None => statement,
        };
        if self.calls.contains("iam:CreateRole") {
            let make = Statement::new("MakeRoles", vec!["iam:CreateRole"], vec![self.own_in_iam("role")]);
            document.add(bounded(self.limited(make, Tagged::ByCall)));
            if boundary.is_some() {
                let bound =
                    Statement::new("BoundRoles", vec!["iam:PutRolePermissionsBoundary"], vec![self.own_in_iam("role")]);
                document.add(bounded(self.limited(bound, Tagged::Already)));
            }
            let policies = managed_policies(self.spec, self.options.nodes.session_manager);
            let arn = |policy| format!("arn:{}:iam::aws:policy/{policy}", self.partition());
            let arns: Vec<String> = policies.into_iter().map(arn).collect();
            let attach = Statement::new("AttachPolicies", vec!["iam:AttachRolePolicy"], vec![self.own_in_iam("role")]);
            document.add(self.limited(attach, Tagged::Already).when("ArnEquals", "iam:PolicyARN", json!(arns)));
        }
        let hand_over = Statement::new("HandOverRoles", vec!["iam:PassRole"], self.roles());
        document.add(hand_over.when("StringEquals", "iam:PassedToService", json!(ROLE_SERVICES)));
        let linked = vec![format!("arn:{}:iam::*:role/aws-service-role/*", self.partition())];
        let linked = Statement::new("FirstClusterOfAnAccount", vec!["iam:CreateServiceLinkedRole"], linked);
        document.add(linked.when("StringEquals", "iam:AWSServiceName", json!(LINKED_SERVICES)));
    }

    fn destroy(&self) -> Value {
        let mut document = Document::default();
        document.add(self.statement("Remove", &[REMOVE], Tagged::Already));
        self.remove_leftovers(&mut document);
        self.tags_of_groups(&["autoscaling:DeleteTags"], &mut document);
        self.write_journal(&mut document);
        document.written()
    }

    /// What a cluster may leave in a network that is removed with it. It carries the tags of its makers.
    fn remove_leftovers(&self, document: &mut Document) {
        if !self.calls.contains("ec2:CreateVpc") {
            return;
        }
        let made = [
            ("RemoveLeftInterfaces", "ec2:DeleteNetworkInterface", "network-interface/*", CNI_TAG),
            ("RemoveLeftGroup", "ec2:DeleteSecurityGroup", "security-group/*", EKS_TAG),
        ];
        for (sid, action, resource, tag) in made {
            let statement = Statement::new(sid, vec![action], vec![self.ec2(resource)]);
            document.add(statement.when("StringEquals", &format!("aws:ResourceTag/{tag}"), json!(self.spec.name)));
        }
    }

    fn tags_of_groups(&self, actions: &[&str], document: &mut Document) {
        if self.calls.contains("autoscaling:CreateOrUpdateTags") {
            let (partition, region) = (self.partition(), &self.spec.location);
            let groups = format!("arn:{partition}:autoscaling:{region}:*:autoScalingGroup:*:autoScalingGroupName/*");
            let statement = Statement::new("TagNodeGroups", actions.to_vec(), vec![groups]);
            // EKS gives the groups that it makes this tag.
            document.add(statement.when("StringEquals", "aws:ResourceTag/eks:cluster-name", json!(self.spec.name)));
        }
    }

    fn write_journal(&self, document: &mut Document) {
        if let Some([_, objects]) = self.journal() {
            document.add(Statement::new("WriteJournal", vec!["s3:PutObject"], vec![objects]));
        }
    }

    /// A statement with those of the actions that are needed, limited by the tag of the cluster. One for all services: IAM counts the
    /// characters, and an action is never on a resource of another service.
    fn statement(&self, sid: &'static str, actions: &[&'static [Action]], tagged: Tagged) -> Statement {
        let names: BTreeSet<&str> = self.needed(actions).map(|action| action.name).collect();
        let of_kinds: BTreeSet<(&str, &str)> = self.needed(actions).map(Action::concerns).collect();
        let of_kind = |(service, kind): (&str, &str)| match service {
            "iam" => vec![self.own_in_iam(kind)],
            _ => self.own(service),
        };
        let resources = of_kinds.into_iter().flat_map(of_kind).collect();
        self.limited(Statement::new(sid, names.into_iter().collect(), resources), tagged)
    }

    fn needed(&self, actions: &[&'static [Action]]) -> impl Iterator<Item = &'static Action> {
        actions.iter().copied().flatten().filter(|action| self.calls.contains(action.because))
    }

    fn limited(&self, statement: Statement, tagged: Tagged) -> Statement {
        let key = match tagged {
            Tagged::ByCall => format!("aws:RequestTag/{CLUSTER_TAG}"),
            Tagged::Already => format!("aws:ResourceTag/{CLUSTER_TAG}"),
        };
        statement.when("StringEquals", &key, json!(self.spec.name))
    }

    /// What is the cluster's in a service, as far as names tell.
    fn own(&self, service: &str) -> Vec<String> {
        let eks = |resource: &str| format!("arn:{}:eks:{}:*:{resource}", self.partition(), self.spec.location);
        let name = &self.spec.name;
        match service {
            "eks" => vec![
                eks(&format!("cluster/{name}")),
                eks(&format!("nodegroup/{name}/*")),
                eks(&format!("addon/{name}/*")),
                eks(&format!("access-entry/{name}/*")),
                eks(&format!("podidentityassociation/{name}/*")),
            ],
            // In EC2 only tags do.
            _ => vec![self.ec2("*")],
        }
    }

    fn own_in_iam(&self, resource: &str) -> String {
        let path = self.options.iam.path.as_deref().unwrap_or("/");
        format!("arn:{}:iam::*:{resource}{path}{}*", self.partition(), iam_name_prefix(self.spec))
    }

    fn ec2(&self, resource: &str) -> String {
        format!("arn:{}:ec2:{}:*:{resource}", self.partition(), self.spec.location)
    }

    /// All roles that have to do with the cluster: those that are made, and those that the user brings.
    fn roles(&self) -> Vec<String> {
        let iam = &self.options.iam;
        let brought = [&iam.cluster_role, &iam.node_role, &iam.ebs_csi_role, &iam.autoscaler_role, &iam.client_role];
        let own = self.calls.contains("iam:CreateRole").then(|| self.own_in_iam("role"));
        own.into_iter().chain(brought.into_iter().flatten().cloned()).collect()
    }

    /// The bucket of the journal, and the objects in it.
    fn journal(&self) -> Option<[String; 2]> {
        let location = self.spec.journal.as_ref()?;
        let prefix = if location.prefix.is_empty() { String::new() } else { format!("{}/", location.prefix) };
        let bucket = format!("arn:{}:s3:::{}", self.partition(), location.bucket);
        Some([bucket.clone(), format!("{bucket}/{prefix}*")])
    }

    /// The partition of the region, by the beginning of its name:
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>.
    fn partition(&self) -> &'static str {
        match self.spec.location.as_str() {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }
}

fn is_read(call: &str) -> bool {
    let operation = call.split_once(':').map_or(call, |(_, operation)| operation);
    ["Describe", "Get", "List", "Simulate"].iter().any(|prefix| operation.starts_with(prefix))
}
