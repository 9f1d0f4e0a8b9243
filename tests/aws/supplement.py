"""ministack with the EKS operations that it lacks: what line 3 of the tests (changes) and version upgrades need.

Written from botocore's model and the EKS API reference, not from what howso-infra sends; `test_0_supplement.py` drives it
with boto3 and checks its answers against the model. Whatever plain ministack can show is tested on plain ministack.

Added: UpdateNodegroupConfig, UpdateNodegroupVersion, UpdateClusterConfig, UpdateClusterVersion, DescribeUpdate, ListUpdates,
DescribeAddonVersions, DescribeClusterVersions; `launchTemplate`, `updateConfig`, `nodeRepairConfig`, `upgradePolicy` and
`deletionProtection` in answers; creation that takes a moment; one update at a time; idempotency tokens; refusal to delete a
cluster that has node groups or is protected; tags of pod identity associations, and new tags in every Describe answer; the
tags of an autoscaling group go with its node group; updates of add-ons that take a moment and refuse versions that do not fit; EC2 DescribeInstanceTypeOfferings; Service Quotas.

Settings in the environment: SUPPLEMENT_DELAY_SECS (how long creation and updates take, default 0.02),
SUPPLEMENT_UPDATE_SECS (how long updates alone take, default as creation),
SUPPLEMENT_FAIL_NODEGROUPS (names of node groups whose creation fails, with commas), SUPPLEMENT_VCPU_QUOTA (default 512).
"""

from __future__ import annotations

import json
import os
import re
import time
import urllib.parse
import uuid
from typing import Any

from ministack import app
from ministack.services import autoscaling, ec2, eks

Answer = tuple[int, dict[str, str], bytes]

DELAY_SECS = float(os.environ.get("SUPPLEMENT_DELAY_SECS", "0.02"))
UPDATE_SECS = float(os.environ.get("SUPPLEMENT_UPDATE_SECS", DELAY_SECS))
FAIL_NODEGROUPS = set(filter(None, os.environ.get("SUPPLEMENT_FAIL_NODEGROUPS", "").split(",")))
VCPU_QUOTA = float(os.environ.get("SUPPLEMENT_VCPU_QUOTA", "512"))

# version -> (is the default, end of standard support, end of extended support): the shape of DescribeClusterVersions.
CLUSTER_VERSIONS = {
    "1.36": (False, "2027-08-02", "2028-08-02"),
    "1.35": (True, "2027-03-27", "2028-03-27"),
    "1.34": (False, "2026-12-02", "2027-12-02"),
    "1.33": (False, "2026-07-29", "2027-07-29"),
}
ADDONS = {
    "vpc-cni": "v1.21.{minor}-eksbuild.1",
    "kube-proxy": "v1.{minor}.0-eksbuild.2",
    "coredns": "v1.12.{minor}-eksbuild.1",
    "eks-pod-identity-agent": "v1.3.{minor}-eksbuild.1",
    "aws-ebs-csi-driver": "v1.5{minor}.0-eksbuild.1",
    "metrics-server": "v0.8.{minor}-eksbuild.1",
}

_ready_at: dict[int, tuple[float, str]] = {}
_updates: dict[str, dict[str, Any]] = {}
_tokens: dict[tuple[str, str], tuple[str, Answer]] = {}
_plain_eks = eks._handle_request_sync
_plain_reset = eks.reset


def reset() -> None:
    _plain_reset()
    for store in (_ready_at, _updates, _tokens):
        store.clear()


# ---------------------------------------------------------------- time: nothing is done at once


def begin(item: dict[str, Any], status: str, then: str = "ACTIVE", secs: float = DELAY_SECS) -> None:
    item["status"] = status
    _ready_at[id(item)] = (time.monotonic() + secs, then)


def settle(item: dict[str, Any]) -> dict[str, Any]:
    """Moves on whatever has had its time."""
    at, then = _ready_at.get(id(item), (0.0, ""))
    if then and time.monotonic() >= at:
        item["status"] = then
        del _ready_at[id(item)]
    return item


def settle_all() -> None:
    for store in (eks._clusters, eks._nodegroups, eks._addons):
        for item in list(store.values()):
            settle(item)
    for update in _updates.values():
        if update["status"] == "InProgress" and time.monotonic() >= update["_at"]:
            update["status"] = "Successful"
            for change in update["_changes"]:
                change()


def busy(cluster: str, nodegroup: str | None, addon: str | None = None) -> Answer | None:
    """EKS allows one update of a cluster, one of a node group, and one of an add-on at a time."""
    item, what = part(cluster, nodegroup, addon)
    for update in _updates.values():
        if (update["_cluster"], update["_nodegroup"], update["_addon"]) == (cluster, nodegroup, addon) and update["status"] == "InProgress":
            return eks._error(409, "ResourceInUseException", f"{what} currently has update {update['id']} in progress")
    if item and item["status"] in ("CREATING", "UPDATING", "DELETING"):
        return eks._error(409, "ResourceInUseException", f"{what} is in status {item['status']}, the operation is in progress")
    return None


def part(cluster: str, nodegroup: str | None, addon: str | None) -> tuple[dict[str, Any] | None, str]:
    """A cluster or what of it is meant, and its name for people."""
    if nodegroup:
        return eks._nodegroups.get(f"{cluster}/{nodegroup}"), f"Nodegroup {nodegroup}"
    if addon:
        return eks._addons.get(f"{cluster}/{addon}"), f"Addon {addon}"
    return eks._clusters.get(cluster), f"Cluster {cluster}"


def start_update(
    cluster: str, nodegroup: str | None, kind: str, params: list[tuple[str, Any]], changes: list[Any], addon: str | None = None
) -> Answer:
    item, _ = part(cluster, nodegroup, addon)
    update = {
        "id": str(uuid.uuid4()),
        "status": "InProgress",
        "type": kind,
        "params": [{"type": name, "value": value if isinstance(value, str) else json.dumps(value)} for name, value in params],
        "createdAt": int(time.time()),
        "errors": [],
        "_cluster": cluster,
        "_nodegroup": nodegroup,
        "_addon": addon,
        "_at": time.monotonic() + UPDATE_SECS,
        "_changes": changes,
    }
    _updates[update["id"]] = update
    begin(item, "UPDATING", secs=UPDATE_SECS)
    if nodegroup or addon:
        item["modifiedAt"] = int(time.time())
    return eks._json_resp(200, {"update": eks._sanitize(update)})


# ---------------------------------------------------------------- clusters


def create_cluster(body: dict[str, Any], plain: Answer) -> Answer:
    if plain[0] != 200:
        return plain
    cluster = eks._clusters[body["name"]]
    vpc = next((ec2._subnets[subnet]["VpcId"] for subnet in cluster["resourcesVpcConfig"]["subnetIds"] if subnet in ec2._subnets), None)
    if vpc is None:
        eks._clusters.pop(body["name"])
        return eks._error(400, "InvalidParameterException", "The subnet ID does not exist (Service: AmazonEC2)")
    cluster["resourcesVpcConfig"]["vpcId"] = vpc
    cluster["resourcesVpcConfig"]["clusterSecurityGroupId"] = "sg-" + uuid.uuid4().hex[:17]
    cluster["upgradePolicy"] = {"supportType": "EXTENDED"} | body.get("upgradePolicy", {})
    cluster["deletionProtection"] = body.get("deletionProtection", False)
    cluster["accessConfig"].setdefault("authenticationMode", "CONFIG_MAP")
    cluster["accessConfig"].pop("bootstrapClusterCreatorAdminPermissions", None)
    cluster["certificateAuthority"] = {"data": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="}
    cluster["health"] = {"issues": []}
    begin(cluster, "CREATING")
    return eks._json_resp(200, {"cluster": eks._sanitize(cluster)})


def delete_cluster(name: str) -> Answer | None:
    cluster = eks._clusters.get(name)
    if cluster is None:
        return None
    if any(key.startswith(f"{name}/") for key in eks._nodegroups):
        return eks._error(409, "ResourceInUseException", "Cluster has nodegroups attached")
    if cluster.get("deletionProtection"):
        return eks._error(400, "InvalidRequestException", f"Cluster {name} has deletion protection enabled")
    for key in [key for key in eks._addons if key.startswith(f"{name}/")]:
        eks._addons.pop(key)
    return None


def update_cluster_config(name: str, body: dict[str, Any]) -> Answer:
    cluster = eks._clusters.get(name)
    if cluster is None:
        return eks._error(404, "ResourceNotFoundException", f"No cluster found for name: {name}.")
    wanted = {key: value for key, value in body.items() if key != "clientRequestToken"}
    vpc = wanted.get("resourcesVpcConfig", {})
    kinds = [kind for key, kind in (("logging", "LoggingUpdate"), ("accessConfig", "AccessConfigUpdate"), ("upgradePolicy", "UpgradePolicyUpdate"),
                                    ("deletionProtection", "DeletionProtectionUpdate")) if key in wanted]  # fmt: skip
    endpoint = {key: vpc[key] for key in ("endpointPublicAccess", "endpointPrivateAccess", "publicAccessCidrs") if key in vpc}
    placement = {key: vpc[key] for key in ("subnetIds", "securityGroupIds") if key in vpc}
    kinds += ["EndpointAccessUpdate"] * bool(endpoint) + ["VpcConfigUpdate"] * bool(placement)
    if len(kinds) != 1:
        return eks._error(400, "InvalidParameterException", "The type for cluster update was not provided or more than one type was provided.")
    current = {"logging": cluster.get("logging"), "upgradePolicy": cluster.get("upgradePolicy"), "deletionProtection": cluster.get("deletionProtection")}
    if kinds == ["EndpointAccessUpdate"] and all(cluster["resourcesVpcConfig"].get(key) == value for key, value in endpoint.items()):
        return eks._error(
            400, "InvalidParameterException", "Cluster is already at the desired configuration with endpointPrivateAccess and endpointPublicAccess"
        )
    if all(key in current and current[key] == value for key, value in wanted.items()):
        return eks._error(400, "InvalidParameterException", "No changes needed for the provided configuration")

    def change() -> None:
        cluster["resourcesVpcConfig"].update(endpoint | placement)
        if "logging" in wanted:
            cluster["logging"] = merged_logging(cluster["logging"], wanted["logging"])
        for key in ("accessConfig", "upgradePolicy"):
            cluster.setdefault(key, {}).update(wanted.get(key, {}))
        if "deletionProtection" in wanted:
            cluster["deletionProtection"] = wanted["deletionProtection"]

    params = {"EndpointPublicAccess": "endpointPublicAccess", "EndpointPrivateAccess": "endpointPrivateAccess", "PublicAccessCidrs": "publicAccessCidrs"}
    said = [(name, endpoint[key]) for name, key in params.items() if key in endpoint]
    said += [("ClusterLogging", wanted["logging"])] if "logging" in wanted else []
    said += [("DeletionProtection", wanted["deletionProtection"])] if "deletionProtection" in wanted else []
    return busy(name, None) or start_update(name, None, kinds[0], said, [change])


def merged_logging(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Each type is on or off by itself: those that the request does not name stay as they are."""
    on: dict[str, bool] = {}
    for setup in old.get("clusterLogging", []) + new.get("clusterLogging", []):
        on |= {kind: setup.get("enabled", False) for kind in setup.get("types", [])}
    groups = [{"types": sorted(kind for kind, enabled in on.items() if enabled is wanted), "enabled": wanted} for wanted in (True, False)]
    return {"clusterLogging": [group for group in groups if group["types"]]}


def update_cluster_version(name: str, body: dict[str, Any]) -> Answer:
    cluster = eks._clusters.get(name)
    if cluster is None:
        return eks._error(404, "ResourceNotFoundException", f"No cluster found for name: {name}.")
    old, new = cluster["version"], body["version"]
    if new not in CLUSTER_VERSIONS:
        return eks._error(400, "InvalidParameterException", f"unsupported Kubernetes version {new}")
    if minor(new) != minor(old) + 1:
        return eks._error(400, "InvalidParameterException", f"Unsupported Kubernetes minor version update from {old} to {new}")
    behind = [group["nodegroupName"] for key, group in eks._nodegroups.items() if key.startswith(f"{name}/") and group["version"] != old]
    if behind:
        return eks._error(400, "InvalidRequestException", f"Nodegroups {behind} must be updated to match cluster version {old} before updating cluster version")
    return busy(name, None) or start_update(name, None, "VersionUpdate", [("Version", new)], [lambda: cluster.update(version=new)])


def minor(version: str) -> int:
    return int(version.split(".")[1])


# ---------------------------------------------------------------- node groups


def create_nodegroup(cluster: str, body: dict[str, Any], plain: Answer) -> Answer:
    if plain[0] != 200:
        return plain
    group = eks._nodegroups[f"{cluster}/{body['nodegroupName']}"]
    if "launchTemplate" in body:
        template = find_template(body["launchTemplate"])
        if template is None:
            eks._nodegroups.pop(f"{cluster}/{body['nodegroupName']}")
            return eks._error(400, "InvalidParameterException", "Launch template was not found.")
        version = body["launchTemplate"].get("version") or str(template["DefaultVersionNumber"])
        group["launchTemplate"] = {"id": template["LaunchTemplateId"], "name": template["LaunchTemplateName"], "version": version}
        # What the template decides is not the node group's to tell.
        group.pop("diskSize")
        if "instanceTypes" not in body:
            group.pop("instanceTypes")
    group["updateConfig"] = body.get("updateConfig", {"maxUnavailable": 1})
    group["nodeRepairConfig"] = body.get("nodeRepairConfig", {"enabled": False})
    group["releaseVersion"] = group["releaseVersion"] or f"{group['version']}.0-20261101"
    group["resources"].pop("remoteAccessSecurityGroup", None)
    if body["nodegroupName"] in FAIL_NODEGROUPS:
        issue = {"code": "NodeCreationFailure", "message": "Instances failed to join the kubernetes cluster", "resourceIds": ["i-0123456789abcdef0"]}
        group["health"] = {"issues": [issue]}
    begin(group, "CREATING", "CREATE_FAILED" if body["nodegroupName"] in FAIL_NODEGROUPS else "ACTIVE")
    return eks._json_resp(200, {"nodegroup": eks._sanitize(group)})


def find_template(wanted: dict[str, str]) -> dict[str, Any] | None:
    return next(
        (template for template in ec2._launch_templates.values()
         if wanted.get("id") == template["LaunchTemplateId"] or wanted.get("name") == template["LaunchTemplateName"]), None)  # fmt: skip


def delete_nodegroup(cluster: str, name: str) -> Answer | None:
    refused = busy(cluster, name)
    group = eks._nodegroups.get(f"{cluster}/{name}")
    if refused is None and group is not None:
        for scaling_group in group["resources"]["autoScalingGroups"]:
            # They go with their group, which ministack does not have.
            autoscaling._tags.pop(scaling_group["name"], None)
    return refused


def update_nodegroup_config(cluster: str, name: str, body: dict[str, Any]) -> Answer:
    group = eks._nodegroups.get(f"{cluster}/{name}")
    if group is None:
        return eks._error(404, "ResourceNotFoundException", f"No node group found for name: {name}.")
    labels, taints, scaling = body.get("labels", {}), body.get("taints", {}), body.get("scalingConfig", {})
    size = group["scalingConfig"] | scaling
    if not size["minSize"] <= size["desiredSize"] <= size["maxSize"]:
        return eks._error(400, "InvalidParameterException", f"desired capacity {size['desiredSize']} must be between {size['minSize']} and {size['maxSize']}")

    def change() -> None:
        for key in labels.get("removeLabels", []):
            group["labels"].pop(key, None)
        group["labels"].update(labels.get("addOrUpdateLabels", {}))
        changed = {(taint["key"], taint["effect"]) for taint in taints.get("removeTaints", []) + taints.get("addOrUpdateTaints", [])}
        group["taints"] = [taint for taint in group["taints"] if (taint["key"], taint["effect"]) not in changed] + taints.get("addOrUpdateTaints", [])
        group["scalingConfig"] = size
        for key in ("updateConfig", "nodeRepairConfig"):
            group[key] = body.get(key, group.get(key))

    said = [("MinSize", str(size["minSize"])), ("MaxSize", str(size["maxSize"])), ("DesiredSize", str(size["desiredSize"]))] if scaling else []
    said += [("LabelsToAdd", labels["addOrUpdateLabels"])] if "addOrUpdateLabels" in labels else []
    said += [("LabelsToRemove", labels["removeLabels"])] if "removeLabels" in labels else []
    said += [("TaintsToAdd", taints["addOrUpdateTaints"])] if "addOrUpdateTaints" in taints else []
    said += [("TaintsToRemove", taints["removeTaints"])] if "removeTaints" in taints else []
    return busy(cluster, name) or start_update(cluster, name, "ConfigUpdate", said, [change])


def update_nodegroup_version(cluster: str, name: str, body: dict[str, Any]) -> Answer:
    group = eks._nodegroups.get(f"{cluster}/{name}")
    if group is None:
        return eks._error(404, "ResourceNotFoundException", f"No node group found for name: {name}.")
    wanted, said = body.get("launchTemplate"), []
    if wanted:
        used = group.get("launchTemplate")
        template = find_template(wanted)
        if used is None or template is None or template["LaunchTemplateId"] != used["id"]:
            return eks._error(400, "InvalidParameterException", "Launch template ID or name must match what was used when the node group was created")
        if not any(str(version["VersionNumber"]) == wanted.get("version") for version in template["Versions"]):
            return eks._error(400, "InvalidParameterException", f"Launch template version {wanted.get('version')} was not found")
        said += [("LaunchTemplateName", used["name"]), ("LaunchTemplateVersion", wanted["version"])]
    version = body.get("version", group["version"])
    newest = eks._clusters[cluster]["version"]
    if minor(version) > minor(newest) or minor(version) < minor(group["version"]):
        return eks._error(400, "InvalidParameterException", f"Requested Nodegroup version {version} is not allowed with cluster version {newest}")
    said += [("Version", version)]

    def change() -> None:
        group["version"] = version
        group["releaseVersion"] = body.get("releaseVersion") or f"{version}.0-20261101"
        if wanted:
            group["launchTemplate"]["version"] = wanted["version"]

    return busy(cluster, name) or start_update(cluster, name, "VersionUpdate", said, [change])


# ---------------------------------------------------------------- add-ons, tags


def update_addon(cluster: str, name: str, body: dict[str, Any]) -> Answer:
    addon = eks._addons.get(f"{cluster}/{name}")
    if addon is None:
        return eks._error(404, "ResourceNotFoundException", f"No addon: {name} found in cluster: {cluster}")
    version = body.get("addonVersion", addon["addonVersion"])
    if name in ADDONS and version not in (addon["addonVersion"], ADDONS[name].format(minor=minor(eks._clusters[cluster]["version"]))):
        return eks._error(400, "InvalidParameterException", f"Addon version specified is not supported: {version}")
    wanted = {key: body[key] for key in ("addonVersion", "serviceAccountRoleArn", "configurationValues", "podIdentityAssociations") if key in body}
    said = [("AddonVersion", version)]
    said += [(key[0].upper() + key[1:], body[key]) for key in ("configurationValues", "resolveConflicts") if key in body]
    return busy(cluster, None, name) or start_update(cluster, None, "AddonUpdate", said, [lambda: addon.update(wanted)], name)


def tagged(arn: str) -> dict[str, Any] | None:
    """Whatever of EKS has this ARN."""
    stores = [(eks._clusters, "arn"), (eks._nodegroups, "nodegroupArn"), (eks._addons, "addonArn"), (eks._access_entries, "accessEntryArn"),
              (eks._pod_identity_associations, "associationArn")]  # fmt: skip
    return next((item for store, key in stores for item in store.values() if item[key] == arn), None)


def tag_resource(arn: str, body: dict[str, Any]) -> Answer:
    item = tagged(arn)
    if item is None:
        return eks._error(404, "NotFoundException", f"The specified resource {arn} does not exist")
    return set_tags(arn, item, item.get("tags", {}) | body["tags"])


def untag_resource(arn: str, keys: list[str]) -> Answer:
    item = tagged(arn)
    if item is None:
        return eks._error(404, "NotFoundException", f"The specified resource {arn} does not exist")
    return set_tags(arn, item, {key: value for key, value in item.get("tags", {}).items() if key not in keys})


def set_tags(arn: str, item: dict[str, Any], tags: dict[str, str]) -> Answer:
    if len(tags) > 50:
        return eks._error(400, "BadRequestException", "The number of tags exceeds the limit of 50")
    item["tags"] = tags
    eks._tags[arn] = dict(tags)
    return eks._json_resp(200, {})


def list_tags(arn: str) -> Answer:
    item = tagged(arn)
    if item is None:
        return eks._error(404, "NotFoundException", f"The specified resource {arn} does not exist")
    return eks._json_resp(200, {"tags": item.get("tags", {})})


# ---------------------------------------------------------------- reads


def describe_update(cluster: str, update_id: str) -> Answer:
    update = _updates.get(update_id)
    if update is None or update["_cluster"] != cluster:
        return eks._error(404, "ResourceNotFoundException", f"No update found for ID: {update_id}")
    return eks._json_resp(200, {"update": eks._sanitize(update)})


def list_updates(cluster: str, query: dict[str, str]) -> Answer:
    wanted = (cluster, query.get("nodegroupName"), query.get("addonName"))
    found = [key for key, update in _updates.items() if (update["_cluster"], update["_nodegroup"], update["_addon"]) == wanted]
    return eks._json_resp(200, {"updateIds": found})


def cluster_versions(query: dict[str, str]) -> Answer:
    versions = [
        {
            "clusterVersion": version, "clusterType": "eks", "defaultPlatformVersion": "eks.1", "defaultVersion": is_default,
            "releaseDate": 1735689600, "endOfStandardSupportDate": day(standard), "endOfExtendedSupportDate": day(extended),
            "status": "standard-support" if standard > today() else "extended-support",
            "versionStatus": "STANDARD_SUPPORT" if standard > today() else "EXTENDED_SUPPORT", "kubernetesPatchVersion": f"{version}.1",
        }
        for version, (is_default, standard, extended) in CLUSTER_VERSIONS.items()
    ]  # fmt: skip
    wanted = query.get("versionStatus")
    chosen = [version for version in versions if wanted in (None, version["versionStatus"])]
    if query.get("defaultOnly") == "true":
        chosen = [version for version in chosen if version["defaultVersion"]]
    return eks._json_resp(200, {"clusterVersions": chosen})


def today() -> str:
    return time.strftime("%Y-%m-%d")


def day(text: str) -> int:
    return int(time.mktime(time.strptime(text, "%Y-%m-%d")))


def addon_versions(query: dict[str, str]) -> Answer:
    cluster_version = query.get("kubernetesVersion")
    names = [query["addonName"]] if "addonName" in query else list(ADDONS)
    addons = []
    for name in names:
        if name not in ADDONS:
            continue
        versions = []
        for version in sorted(CLUSTER_VERSIONS, reverse=True):
            if cluster_version in (None, version):
                fit = [{"clusterVersion": version, "platformVersions": ["*"], "defaultVersion": True}]
                versions.append({"addonVersion": ADDONS[name].format(minor=minor(version)), "architecture": ["amd64", "arm64"], "compatibilities": fit,
                                 "requiresConfiguration": False, "requiresIamPermissions": name in ("vpc-cni", "aws-ebs-csi-driver")})  # fmt: skip
        addons.append({"addonName": name, "type": "networking", "addonVersions": versions, "publisher": "eks", "owner": "aws"})
    return eks._json_resp(200, {"addons": addons})


# ---------------------------------------------------------------- dispatch

NAME = r"([A-Za-z0-9_-]+)"


def handle(method: str, path: str, headers: dict[str, str], raw: bytes, query_params: dict[str, Any]) -> Answer:
    settle_all()
    body = json.loads(raw) if raw else {}
    query = {key: value[0] if isinstance(value, list) else value for key, value in query_params.items()}
    token = (f"{method} {path}", body.get("clientRequestToken", "")) if method == "POST" else ("", "")
    if token[1] and token in _tokens and _tokens[token][0] == raw.decode():
        return _tokens[token][1]
    answer = route(method, urllib.parse.unquote(path), body, query, query_params)
    if answer is None:
        answer = finish(method, path, body, _plain_eks(method, path, headers, raw, query_params))
    if token[1] and answer[0] == 200:
        _tokens[token] = (raw.decode(), answer)
    return answer


def route(method: str, path: str, body: dict[str, Any], query: dict[str, str], lists: dict[str, Any]) -> Answer | None:
    """The operations that ministack lacks; None hands the request on to it."""
    routes = {
        ("POST", rf"/clusters/{NAME}/update-config"): lambda name: update_cluster_config(name, body),
        ("POST", rf"/clusters/{NAME}/updates"): lambda name: update_cluster_version(name, body),
        ("GET", rf"/clusters/{NAME}/updates"): lambda name: list_updates(name, query),
        ("GET", rf"/clusters/{NAME}/updates/{NAME}"): describe_update,
        ("POST", rf"/clusters/{NAME}/node-groups/{NAME}/update-config"): lambda cluster, name: update_nodegroup_config(cluster, name, body),
        ("POST", rf"/clusters/{NAME}/node-groups/{NAME}/update-version"): lambda cluster, name: update_nodegroup_version(cluster, name, body),
        ("POST", rf"/clusters/{NAME}/addons/{NAME}/update"): lambda cluster, name: update_addon(cluster, name, body),
        ("POST", r"/tags/(.+)"): lambda arn: tag_resource(arn, body),
        ("DELETE", r"/tags/(.+)"): lambda arn: untag_resource(arn, lists.get("tagKeys", [])),
        ("GET", r"/tags/(.+)"): list_tags,
        ("GET", r"/cluster-versions"): lambda: cluster_versions(query),
        ("GET", r"/addons/supported-versions"): lambda: addon_versions(query),
        ("DELETE", rf"/clusters/{NAME}"): delete_cluster,
        ("DELETE", rf"/clusters/{NAME}/node-groups/{NAME}"): delete_nodegroup,
    }
    for (verb, pattern), call in routes.items():
        match = re.fullmatch(pattern, path)
        if match and verb == method:
            return call(*match.groups())
    return None


def finish(method: str, path: str, body: dict[str, Any], plain: Answer) -> Answer:
    """Completes what ministack does only in part."""
    if method != "POST":
        return plain
    if path == "/clusters":
        return create_cluster(body, plain)
    match = re.fullmatch(rf"/clusters/{NAME}/node-groups", path)
    return create_nodegroup(match[1], body, plain) if match else plain


# ---------------------------------------------------------------- EC2, Service Quotas

MEMORY_MIB_PER_VCPU = {"c": 2048, "m": 4096, "r": 8192, "t": 4096}
SIZES = {"large": 2, "xlarge": 4, **{f"{n}xlarge": 4 * n for n in (2, 4, 8, 12, 16, 24, 32, 48)}}


def shape(instance_type: str) -> tuple[int, int] | None:
    """vCPU and memory of the general families, where the size decides both."""
    family, _, size = instance_type.partition(".")
    if not re.fullmatch(r"[cmrt][3-9](a|g|i|gd|ad|id|n)?", family) or size not in SIZES:
        return None
    return SIZES[size], SIZES[size] * MEMORY_MIB_PER_VCPU[family[0]]


def describe_instance_types(params: dict[str, Any]) -> Answer:
    wanted = ec2._parse_member_list(params, "InstanceType")
    unknown = [name for name in wanted if shape(name) is None]
    if unknown:
        return ec2._error("InvalidInstanceType", f"The following supplied instance types do not exist: [{', '.join(unknown)}]", 400)
    items = ""
    for name in wanted:
        vcpus, memory = shape(name)
        architecture = "arm64" if "g" in name.partition(".")[0][2:] else "x86_64"
        items += (f"<item><instanceType>{name}</instanceType><currentGeneration>true</currentGeneration>"
                  f"<processorInfo><supportedArchitectures><item>{architecture}</item></supportedArchitectures></processorInfo>"
                  f"<vCpuInfo><defaultVCpus>{vcpus}</defaultVCpus></vCpuInfo><memoryInfo><sizeInMiB>{memory}</sizeInMiB></memoryInfo></item>")  # fmt: skip
    return ec2._xml(200, "DescribeInstanceTypesResponse", f"<instanceTypeSet>{items}</instanceTypeSet>")


def describe_offerings(params: dict[str, Any]) -> Answer:
    filters = ec2._parse_filters(params)
    names = [name for name in filters.get("instance-type", []) if shape(name)]
    by_zone = ec2._p(params, "LocationType", "region") == "availability-zone"
    places = [f"us-east-1{letter}" for letter in "abc"] if by_zone else ["us-east-1"]
    kind = "availability-zone" if by_zone else "region"
    items = "".join(
        f"<item><instanceType>{name}</instanceType><locationType>{kind}</locationType><location>{place}</location></item>"
        for name in names for place in places if place in filters.get("location", places)
    )  # fmt: skip
    return ec2._xml(200, "DescribeInstanceTypeOfferingsResponse", f"<instanceTypeOfferingSet>{items}</instanceTypeOfferingSet>")


def honour_token(action: str) -> None:
    """The same ClientToken gives the same answer, as EC2 documents for these calls."""
    plain = ec2._ACTION_MAP[action]

    def call(params: dict[str, Any]) -> Answer:
        token = (action, ec2._p(params, "ClientToken"))
        if token[1] and token in _tokens:
            return _tokens[token][1]
        answer = plain(params)
        if token[1] and answer[0] == 200:
            _tokens[token] = ("", answer)
        return answer

    ec2._ACTION_MAP[action] = call


QUOTAS = {("ec2", "L-1216C47A"): VCPU_QUOTA, ("vpc", "L-F678F1CE"): 5.0, ("ec2", "L-0263D0A3"): 5.0, ("vpc", "L-FE5A380F"): 5.0, ("eks", "L-1194D53C"): 100.0}


async def service_quotas(_method: str, _path: str, headers: dict[str, str], body: bytes, _query: dict[str, Any]) -> Answer:
    target = next((value for key, value in headers.items() if key.lower() == "x-amz-target"), "")
    asked = json.loads(body or b"{}")
    key = (asked.get("ServiceCode"), asked.get("QuotaCode"))
    if not target.endswith((".GetServiceQuota", ".GetAWSDefaultServiceQuota")) or key not in QUOTAS:
        return 400, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps({"__type": "NoSuchResourceException", "Message": f"no quota {key}"}).encode()
    quota = {"ServiceCode": key[0], "QuotaCode": key[1], "Value": QUOTAS[key], "Adjustable": True, "GlobalQuota": False}
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps({"Quota": quota}).encode()


def install() -> None:
    eks._handle_request_sync = handle
    eks.reset = reset
    ec2._ACTION_MAP |= {"DescribeInstanceTypeOfferings": describe_offerings, "DescribeInstanceTypes": describe_instance_types}
    for action in ("CreateNatGateway", "CreateRouteTable", "CreateLaunchTemplate", "CreateLaunchTemplateVersion"):
        honour_token(action)
    plain_zone_id = ec2._az_id_for_zone_name
    # Zone c of this account is use1-az4: EKS has no capacity in use1-az3, which ministack gives it.
    ec2._az_id_for_zone_name = lambda name: plain_zone_id(name).replace("az3", "az4")
    app.SERVICE_HANDLERS["servicequotas"] = service_quotas


if __name__ == "__main__":
    install()
    app.main()
