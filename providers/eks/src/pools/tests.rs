//! The pools against answers of EKS, EC2 and Auto Scaling as their API references show them.

use howso_infra_core::operation::FieldChange;
use howso_infra_core::{
    Attributes, ClusterIdentity, DeploymentId, Generation, Observation, Operation, ResourceId, ScopeKinds, Submitted,
    Value, Work,
};
use serde_json::{Value as Json, json};

use super::{observe, observed_instance_types, submit};
use crate::context::ObserveContext;
use crate::control_plane::ClusterState;
use crate::options::EksOptions;
use crate::options::tests::specification;
use crate::testing::{Answer, Request, Server, ec2};

const DEPLOYMENT: &str = "0123456789abcdef0123456789abcdef";
const GROUP_ARN: &str = "arn:aws:eks:us-east-1:123456789012:nodegroup/demo/worker/1";

fn deployment() -> DeploymentId {
    DEPLOYMENT.parse().unwrap()
}

fn tags(resource: &str) -> Json {
    json!({
        "howso-infra/cluster": "demo", "howso-infra/deployment": DEPLOYMENT, "howso-infra/resource": resource, "Name": "n",
    })
}

fn worker() -> Json {
    json!({ "nodegroup": {
        "nodegroupName": "worker",
        "nodegroupArn": GROUP_ARN,
        "status": "ACTIVE",
        "scalingConfig": { "minSize": 0, "maxSize": 20, "desiredSize": 7 },
        "instanceTypes": ["t3.medium"],
        "resources": { "autoScalingGroups": [{ "name": "eks-worker-1" }] },
        "taints": [{ "key": "howso.com/nodetype", "value": "worker", "effect": "NO_SCHEDULE" }],
        "tags": tags("eks/nodegroup:worker"),
    } })
}

fn template() -> String {
    let tags = tags("ec2/launch-template:worker");
    let tags = tags
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| format!("<item><key>{key}</key><value>{}</value></item>", value.as_str().unwrap()));
    format!(
        "<launchTemplates><item><launchTemplateId>lt-1</launchTemplateId><launchTemplateName>demo-worker</launchTemplateName>\
         <latestVersionNumber>2</latestVersionNumber><tagSet>{}</tagSet></item></launchTemplates>",
        tags.collect::<String>()
    )
}

const VERSION: &str = "<launchTemplateVersionSet><item><versionNumber>2</versionNumber><launchTemplateData>\
     <instanceType>m6a.4xlarge</instanceType>\
     <blockDeviceMappingSet><item><deviceName>/dev/xvda</deviceName><ebs><volumeSize>100</volumeSize>\
     <volumeType>gp3</volumeType><encrypted>true</encrypted></ebs></item></blockDeviceMappingSet>\
     <metadataOptions><httpTokens>required</httpTokens><httpPutResponseHopLimit>1</httpPutResponseHopLimit></metadataOptions>\
     </launchTemplateData></item></launchTemplateVersionSet>";

const GROUP_TAGS: &str = "<DescribeTagsResponse><DescribeTagsResult><Tags>\
     <member><ResourceId>eks-worker-1</ResourceId><Key>k8s.io/cluster-autoscaler/node-template/label/a</Key><Value>b</Value></member>\
     <member><ResourceId>eks-worker-1</ResourceId><Key>eks:cluster-name</Key><Value>demo</Value></member>\
     </Tags></DescribeTagsResult></DescribeTagsResponse>";

fn whole(request: &Request) -> Answer {
    match request.call.as_str() {
        "DescribeLaunchTemplates" => ec2("DescribeLaunchTemplates", &template()),
        "DescribeLaunchTemplateVersions" => ec2("DescribeLaunchTemplateVersions", VERSION),
        "DescribeTags" => Answer::Status(200, GROUP_TAGS.to_owned()),
        "GET /clusters/demo/node-groups" => Answer::Status(200, json!({ "nodegroups": ["worker"] }).to_string()),
        "GET /clusters/demo/node-groups/worker" => Answer::Status(200, worker().to_string()),
        _ => Answer::Status(200, json!({ "update": { "id": "u-1", "status": "Successful" } }).to_string()),
    }
}

async fn observed(server: &Server, cluster: &ClusterState) -> Observation {
    let spec = specification("small", "").unwrap();
    let options = EksOptions::from_spec(&spec).unwrap();
    let deployment = deployment();
    let context = ObserveContext { spec: &spec, options: &options, deployment: Some(&deployment) };
    observe(&server.clients(), &context, cluster, &ScopeKinds::All).await
}

fn ours() -> ClusterState {
    ClusterState::Ours("arn:aws:eks:us-east-1:123456789012:cluster/demo".to_owned())
}

fn operation(resource: &str, work: Work) -> Operation {
    let identity = ClusterIdentity { cluster: "demo".to_owned(), deployment: deployment(), generation: Generation(3) };
    let resource: ResourceId = resource.parse().unwrap();
    Operation { token: identity.token(&resource, "test"), resource, work, identity }
}

fn change(field: &str, from: impl Into<Value>, to: impl Into<Value>) -> FieldChange {
    FieldChange { field: field.to_owned(), from: Some(from.into()), to: to.into() }
}

/// Updates the worker group, and returns what was sent and every call.
async fn updated(changes: Vec<FieldChange>, wanted: Attributes) -> (Json, Vec<String>) {
    let server = Server::start(whole);
    let (physical_id, call) = (GROUP_ARN.to_owned(), "update-config".to_owned());
    let work = Work::Update { physical_id, call, changes, attributes: wanted };
    let answer = submit(&server.clients(), &operation("eks/nodegroup:worker", work)).await.unwrap();
    assert!(matches!(answer, Submitted::Settled { .. }), "an update that is successful at once is not waited for");
    let requests = server.requests();
    let sent = requests.iter().find(|request| request.call.starts_with("POST ")).expect("something was sent");
    (serde_json::from_str(&sent.body).unwrap(), server.calls())
}

fn sizes(min: u32, max: u32) -> Attributes {
    Attributes::from([("min_size".to_owned(), min.into()), ("max_size".to_owned(), max.into())])
}

#[tokio::test]
async fn pools_are_read_with_one_request_for_each_thing() {
    let server = Server::start(whole);
    let observation = observed(&server, &ours()).await;
    assert_eq!(observation.gaps, []);
    let names: Vec<_> = observation.resources.keys().map(ToString::to_string).collect();
    assert_eq!(names, ["autoscaling/tags:worker", "ec2/launch-template:worker", "eks/nodegroup:worker"]);
    assert_eq!(
        server.calls(),
        [
            "DescribeLaunchTemplateVersions",
            "DescribeLaunchTemplates",
            "DescribeLaunchTemplates",
            "DescribeTags",
            "GET /clusters/demo/node-groups",
            "GET /clusters/demo/node-groups/worker",
        ]
    );
    let template = observation.one(&"ec2/launch-template:worker".parse().unwrap()).unwrap();
    assert_eq!(template.outputs["latest_version"], Value::text("2"));
    assert_eq!(template.attributes["disk_gib"], Value::Integer(100));
    let tags = observation.one(&"autoscaling/tags:worker".parse().unwrap()).unwrap();
    assert_eq!(tags.attributes["tags"].as_map().unwrap().len(), 1, "tags of EKS are not ours");
}

#[tokio::test]
async fn the_types_that_a_group_reports_count_only_without_one_in_its_template() {
    let server = Server::start(whole);
    let observation = observed(&server, &ours()).await;
    let group = observation.one(&"eks/nodegroup:worker".parse().unwrap()).unwrap();
    assert_eq!(group.attributes["instance_types"], Value::List(Vec::new()));
    assert_eq!(observed_instance_types(&observation)["worker"], ["m6a.4xlarge"]);
    // The answer names no launch template, so nothing is said about it.
    assert!(!group.attributes.contains_key("launch_template_id"));
}

/// The template as it is, with an older version that differs in `difference`, and a group that runs that one.
fn with_an_older_version(request: &Request, difference: (&str, &str)) -> Answer {
    match request.call.as_str() {
        "DescribeLaunchTemplateVersions" if request.body.contains("LaunchTemplateVersion.1=1") => {
            let older = VERSION.replace("<versionNumber>2<", "<versionNumber>1<").replace(difference.0, difference.1);
            ec2("DescribeLaunchTemplateVersions", &older)
        }
        "GET /clusters/demo/node-groups/worker" => {
            let mut group = worker();
            group["nodegroup"]["launchTemplate"] = json!({ "id": "lt-1", "name": "demo-worker", "version": "1" });
            Answer::Status(200, group.to_string())
        }
        _ => whole(request),
    }
}

async fn running_version(difference: (&'static str, &'static str)) -> Value {
    let server = Server::start(move |request| with_an_older_version(request, difference));
    let observation = observed(&server, &ours()).await;
    assert_eq!(observation.gaps, []);
    let versions = server.calls().iter().filter(|call| *call == "DescribeLaunchTemplateVersions").count();
    assert_eq!(versions, 2, "the latest, and the one that runs");
    let group = observation.one(&"eks/nodegroup:worker".parse().unwrap()).unwrap();
    group.attributes["launch_template_version"].clone()
}

#[tokio::test]
async fn a_version_that_lacks_only_tags_is_as_good_as_the_latest() {
    let tags = "<tagSpecificationSet><item><resourceType>instance</resourceType>\
         <tagSet><item><key>team</key><value>old</value></item></tagSet></item></tagSpecificationSet></launchTemplateData>";
    assert_eq!(running_version(("</launchTemplateData>", tags)).await, Value::text("2"));
}

#[tokio::test]
async fn a_version_that_differs_in_more_than_tags_is_not() {
    for difference in [
        ("<volumeSize>100<", "<volumeSize>50<"),
        ("<httpTokens>required<", "<httpTokens>optional<"),
        ("<instanceType>m6a.4xlarge</instanceType>", ""),
    ] {
        assert_eq!(running_version(difference).await, Value::text("1"), "{difference:?}");
    }
}

#[tokio::test]
async fn nodes_are_replaced_once_for_a_new_kubernetes_and_a_new_template() {
    let wanted = Attributes::from([
        ("launch_template_id".to_owned(), "lt-1".into()),
        ("launch_template_version".to_owned(), "3".into()),
        ("version".to_owned(), "1.35".into()),
    ]);
    let version = change("version", "1.34", "1.35");
    let template = change("launch_template_version", "2", "3");
    for (changes, kubernetes) in
        [(vec![version.clone(), template.clone()], true), (vec![version], true), (vec![template], false)]
    {
        let server = Server::start(whole);
        let (physical_id, call, attributes) = (GROUP_ARN.to_owned(), "roll".to_owned(), wanted.clone());
        let work = Work::Update { physical_id, call, changes, attributes };
        submit(&server.clients(), &operation("eks/nodegroup:worker", work)).await.unwrap();
        let requests = server.requests();
        assert_eq!(server.calls(), ["POST /clusters/demo/node-groups/worker/update-version"]);
        let sent: Json = serde_json::from_str(&requests[0].body).unwrap();
        // Tags that were not worth replacing the nodes go along with whatever is.
        assert_eq!(sent["launchTemplate"], json!({ "id": "lt-1", "version": "3" }));
        assert_eq!(sent.get("version").is_some(), kubernetes, "{sent}");
    }
}

#[tokio::test]
async fn without_a_cluster_only_templates_are_read() {
    let server = Server::start(whole);
    let observation = observed(&server, &ClusterState::NotOurs).await;
    assert_eq!(observation.resources.len(), 1);
    assert!(server.calls().iter().all(|call| call.starts_with("DescribeLaunchTemplate")));
}

#[tokio::test]
async fn the_live_size_is_not_sent_when_it_fits() {
    let (sent, _) = updated(vec![change("max_size", 20_u32, 12_u32)], sizes(0, 12)).await;
    assert_eq!(sent["scalingConfig"], json!({ "minSize": 0, "maxSize": 12 }));
}

#[tokio::test]
async fn the_live_size_moves_just_inside_of_new_bounds() {
    let (sent, _) = updated(vec![change("max_size", 20_u32, 5_u32)], sizes(0, 5)).await;
    assert_eq!(sent["scalingConfig"], json!({ "minSize": 0, "maxSize": 5, "desiredSize": 5 }));
    let (sent, _) = updated(vec![change("min_size", 0_u32, 9_u32)], sizes(9, 20)).await;
    assert_eq!(sent["scalingConfig"], json!({ "minSize": 9, "maxSize": 20, "desiredSize": 9 }));
}

#[tokio::test]
async fn labels_and_taints_change_by_one_call_that_carries_nothing_else() {
    let changes = vec![
        change("labels", Value::text_map([("old", "1")]), Value::text_map([("new", "1")])),
        change("taints", Value::text_map([("k:NO_SCHEDULE", "v")]), Value::text_map([("k:NO_EXECUTE", "v")])),
    ];
    let (mut sent, calls) = updated(changes, sizes(0, 20)).await;
    sent.as_object_mut().unwrap().remove("clientRequestToken");
    assert_eq!(
        sent,
        json!({
            "labels": { "addOrUpdateLabels": { "new": "1" }, "removeLabels": ["old"] },
            "taints": {
                "addOrUpdateTaints": [{ "key": "k", "value": "v", "effect": "NO_EXECUTE" }],
                "removeTaints": [{ "key": "k", "value": "v", "effect": "NO_SCHEDULE" }],
            },
        })
    );
    assert_eq!(calls, ["POST /clusters/demo/node-groups/worker/update-config"]);
}

#[tokio::test]
async fn a_new_version_of_a_template_carries_all_its_data_and_tells_its_number() {
    let answer = "<launchTemplateVersion><versionNumber>3</versionNumber></launchTemplateVersion>";
    let server = Server::start(|_| ec2("CreateLaunchTemplateVersion", answer));
    let attributes = Attributes::from([
        ("name".to_owned(), "demo-worker".into()),
        ("instance_type".to_owned(), "".into()),
        ("disk_gib".to_owned(), 200_u32.into()),
        ("disk_type".to_owned(), "gp3".into()),
        ("disk_encrypted".to_owned(), true.into()),
        ("metadata_tokens".to_owned(), "required".into()),
        ("metadata_hop_limit".to_owned(), 1_u32.into()),
        ("node_tags".to_owned(), Value::text_map([("Name", "demo-worker")])),
    ]);
    let changes = vec![change("disk_gib", 100_u32, 200_u32)];
    let (physical_id, call) = ("lt-1".to_owned(), "create-version".to_owned());
    let work = Work::Update { physical_id, call, changes, attributes };
    let operation = operation("ec2/launch-template:worker", work);
    let Submitted::Settled { outputs, .. } = submit(&server.clients(), &operation).await.unwrap() else {
        panic!("a new version is there at once")
    };
    assert_eq!(outputs["latest_version"], Value::text("3"));
    let sent = &server.requests()[0].body;
    for field in [
        "LaunchTemplateData.BlockDeviceMapping.1.Ebs.VolumeSize=200",
        "LaunchTemplateData.BlockDeviceMapping.1.Ebs.Encrypted=true",
        "LaunchTemplateData.MetadataOptions.HttpTokens=required",
        "LaunchTemplateData.MetadataOptions.HttpPutResponseHopLimit=1",
        "LaunchTemplateData.TagSpecification.1.ResourceType=instance",
        "LaunchTemplateData.TagSpecification.2.ResourceType=volume",
        "Key=howso-infra/deployment",
        &format!("ClientToken={}", operation.token.as_str()),
    ] {
        assert!(sent.contains(field), "{field} is missing in {sent}");
    }
    assert!(!sent.contains("InstanceType") && !sent.contains("howso-infra/generation"), "{sent}");
}

#[tokio::test]
async fn tags_of_a_group_that_are_no_longer_wanted_are_removed_by_name() {
    let server = Server::start(|request| Answer::Status(200, format!("<{0}Response></{0}Response>", request.call)));
    let wanted = Value::text_map([("kept", "1")]);
    let changes = vec![change("tags", Value::text_map([("kept", "1"), ("gone", "1")]), wanted.clone())];
    let attributes = Attributes::from([("tags".to_owned(), wanted)]);
    let (physical_id, call) = ("eks-worker-1".to_owned(), "remove-tags".to_owned());
    let work = Work::Update { physical_id, call, changes, attributes };
    submit(&server.clients(), &operation("autoscaling/tags:worker", work)).await.unwrap();
    let sent = &server.requests()[0];
    assert_eq!(sent.call, "DeleteTags");
    assert!(sent.body.contains("Tags.member.1.Key=gone") && !sent.body.contains("kept"), "{}", sent.body);
}
