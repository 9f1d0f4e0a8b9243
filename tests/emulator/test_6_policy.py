"""The permissions that `plan --policy` writes: they are enough, and nothing in them is too much.

`parliament`, which others wrote, knows AWS's list of actions, resources and conditions. The emulated account asks for each call
what AWS's Service Authorization Reference says, and refuses what no policy allows.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import botocore.exceptions
import parliament
import pytest
from conftest import REGION, client_of, emulator
from program import Program

CLUSTER = ["--name", "demo", "--provider", "eks", "--region", REGION]
# A managed policy of IAM has no more characters, blanks left out.
CHARACTERS_MAX = 6144
# Everything that makes the documents long.
LONGEST = [
    *("--name", "a-name-of-thirty-two-characters1", "--provider", "eks", "--region", "us-gov-west-1", "--profile", "large"),
    *("--set", "eks.iam.path=/platform/howso/"),
    *("--set", "eks.iam.permissions_boundary=arn:aws-us-gov:iam::123456789012:policy/platform/boundary"),
    *("--set", "eks.kms_key=arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/12345678-1234-1234-1234-123456789012"),
    *("--set", "journal=s3://journals-of-the-team/infrastructure/howso"),
    *("--set", "client.parallel=8"),
]
# What makes every call that there is.
FULL = [*CLUSTER, "--profile", "large", "--set", "client.parallel=8", "--set", "journal=s3://journals-of-the-team/howso"]

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    home = tmp_path_factory.mktemp("home")

    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [os.environ["HOWSO_TESTS_RELEASE"], *arguments]
        environment = {"HOME": str(home), "PATH": os.defpath}
        done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def written(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, Path]]:
    def write(*arguments: str) -> dict[str, Path]:
        directory = tmp_path_factory.mktemp("policies")
        run("plan", "--policy", str(directory), *arguments)
        return {path.stem: path for path in directory.glob("*.json")}

    return write


@pytest.fixture(scope="module")
def policies(written: Callable[..., dict[str, Path]]) -> dict[str, Path]:
    return written(*FULL)


def given(*paths: Path) -> list[str]:
    return [argument for path in paths for argument in ("--policy", str(path))]


def statements(path: Path) -> list[dict]:
    return json.loads(path.read_text())["Statement"]


@pytest.mark.parametrize("arguments", [[*CLUSTER, "--profile", "small"], [*CLUSTER, "--profile", "large"], LONGEST], ids=["small", "large", "longest"])
def test_the_documents_are_sound_and_short(written: Callable[..., dict[str, Path]], arguments: list[str]) -> None:
    for path in written(*arguments).values():
        text = path.read_text()
        findings = parliament.analyze_policy_string(text).findings
        assert not findings, [(finding.issue, finding.detail, finding.location) for finding in findings]
        assert len("".join(text.split())) <= CHARACTERS_MAX


def test_the_linter_sees_what_is_wrong(policies: dict[str, Path]) -> None:
    broken = json.loads(policies["apply"].read_text())
    broken["Statement"][0]["Action"].append("ec2:CreateVpcs")
    assert parliament.analyze_policy_string(json.dumps(broken)).findings


def test_what_changes_something_is_limited_to_the_cluster(policies: dict[str, Path]) -> None:
    assert set(policies) == {"read", "apply", "client", "destroy"}
    for statement in [statement for name in ("apply", "client", "destroy") for statement in statements(policies[name])]:
        if statement["Action"] == ["s3:PutObject"]:
            # What has no tags is limited by its name.
            assert statement["Resource"] == ["arn:aws:s3:::journals-of-the-team/howso/*"]
            continue
        assert statement["Condition"], statement
        condition = json.dumps(statement["Condition"])
        limits = ('howso-infra/cluster": "demo"', 'cluster.k8s.amazonaws.com/name": "demo"', 'eks:cluster-name": "demo"', "iam:PassedToService", "iam:AWSServiceName", "ec2:LaunchTemplate", '"ec2:Owner": "amazon"')
        assert any(limit in condition for limit in limits), statement
    roles = next(statement for statement in statements(policies["apply"]) if statement["Action"] == ["iam:PassRole"])
    assert roles["Resource"] == [f"arn:aws:iam::*:role/demo-{REGION}-*"]
    assert roles["Condition"] == {"StringEquals": {"iam:PassedToService": ["eks.amazonaws.com", "ec2.amazonaws.com", "pods.eks.amazonaws.com"]}}
    everywhere = next(statement for statement in statements(policies["read"]) if statement["Resource"] == ["*"])
    assert all(action.split(":")[1].startswith(("Describe", "Get", "List", "Simulate")) for action in everywhere["Action"])


@pytest.mark.parametrize("profile", ["small", "medium", "large"])
def test_the_whole_life_passes_with_them(run: Run, policies: dict[str, Path], profile: str) -> None:
    cluster = [*CLUSTER, "--profile", profile]
    run("rehearse", "plan", *cluster, *given(policies["read"]))
    run("rehearse", "up", *cluster, *given(policies["read"], policies["apply"]))
    run("rehearse", "down", *cluster, *given(policies["read"], policies["destroy"]))
    client = ["--set", "client.parallel=8"]
    run("rehearse", "up", *cluster, *client, *given(policies["read"], policies["apply"], policies["client"]))
    run("rehearse", "down", *cluster, *client, *given(policies["read"], policies["destroy"]))


@pytest.mark.parametrize("command, name", [("up", "apply"), ("down", "destroy")])
def test_they_suffice_when_something_goes_wrong(run: Run, policies: dict[str, Path], command: str, name: str) -> None:
    rehearse = ["rehearse", command, *FULL, *given(policies["read"], policies["client"], policies[name])]
    run(*rehearse, "--runs", "40")
    if command == "up":
        run(*rehearse, "--fault", "fails-later@every")


# What no calm run does: changes of what exists, and removals of what failed.
IN_RESERVE = {
    "apply": {
        "autoscaling:DeleteTags",
        "ec2:CreateLaunchTemplateVersion",
        "ec2:DeleteNatGateway",
        "ec2:ReplaceRoute",
        "ec2:ReplaceRouteTableAssociation",
        "eks:DeleteAddon",
        "eks:DeleteCluster",
        "eks:DeleteNodegroup",
        "eks:UpdateAddon",
        "eks:UpdateClusterConfig",
        "eks:UpdateClusterVersion",
        "eks:UpdateNodegroupConfig",
        "eks:UpdateNodegroupVersion",
        "eks:UpdatePodIdentityAssociation",
        "iam:CreateServiceLinkedRole",
        "iam:UpdateAssumeRolePolicy",
    },
    "client": {
        "ec2:ModifyInstanceAttribute",
        "ec2:ModifyInstanceMetadataOptions",
        "ec2:RevokeSecurityGroupIngress",
        "ec2:TerminateInstances",
    },
    # What goes with what it belongs to.
    "destroy": {"autoscaling:DeleteTags", "ec2:DeleteRoute", "eks:DeleteAccessEntry", "eks:DeletePodIdentityAssociation", "eks:DisassociateAccessPolicy"},
}


# What is needed beside each.
BESIDE = {"apply": ["read", "client"], "client": ["read", "apply"], "destroy": ["read"]}


# What goes wrong, so that everything that is allowed for that is needed as well.
LEFT = {"up": [], "down": ["--fault", "leaves-interface@eks:DeleteNodegroup"]}


@pytest.mark.parametrize("command, name", [("up", "apply"), ("up", "client"), ("down", "destroy")])
def test_without_any_of_them_it_is_refused(run: Run, policies: dict[str, Path], tmp_path: Path, command: str, name: str) -> None:
    document = json.loads(policies[name].read_text())
    unused = set()
    actions = {action for statement in document["Statement"] for action in statement["Action"]}
    for action in sorted(actions):
        less = json.loads(json.dumps(document))
        for statement in less["Statement"]:
            statement["Action"] = [kept for kept in statement["Action"] if kept != action]
        less["Statement"] = [statement for statement in less["Statement"] if statement["Action"]]
        path = tmp_path / "less.json"
        path.write_text(json.dumps(less))
        arguments = ["rehearse", command, *FULL, *given(*(policies[beside] for beside in BESIDE[name]), path), *LEFT[command]]
        done = subprocess.run([os.environ["HOWSO_TESTS_RELEASE"], *arguments], env={"HOME": str(tmp_path), "PATH": os.defpath}, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            unused.add(action)
        else:
            assert f"is not authorized to perform: {action} on resource" in done.stderr, (action, done.stderr)
    assert unused == IN_RESERVE[name]


def test_what_the_user_brings_needs_no_permission(run: Run, written: Callable[..., dict[str, Path]]) -> None:
    brings = ["--set", "eks.network.vpc=vpc-0123456789abcdef0", "--set", 'eks.network.private_subnets=["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]']
    for purpose in ("cluster", "node", "ebs_csi", "autoscaler"):
        brings += ["--set", f"eks.iam.{purpose}_role=arn:aws:iam::123456789012:role/team/{purpose}"]
    cluster = [*CLUSTER, "--profile", "small", *brings]
    policies = written(*cluster)
    actions = {action for path in policies.values() for statement in statements(path) for action in statement["Action"]}
    allowed = ("iam:PassRole", "iam:Simulate", "iam:CreateServiceLinkedRole", "iam:Get", "iam:List")
    assert not any(action.startswith("iam:") and not action.startswith(allowed) for action in actions), actions
    assert "ec2:CreateVpc" not in actions and "ec2:CreateSubnet" not in actions
    run("rehearse", "up", *cluster, *given(policies["read"], policies["apply"]))
    run("rehearse", "down", *cluster, *given(policies["read"], policies["destroy"]))


def test_a_machine_for_clients_in_a_network_that_the_user_brings(run: Run, written: Callable[..., dict[str, Path]]) -> None:
    """Nothing there has our tag, so the network and its subnets are named."""
    subnets = '["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]'
    brings = ["--set", "eks.network.vpc=vpc-0123456789abcdef0", "--set", f"eks.network.private_subnets={subnets}", "--set", "client.parallel=8"]
    brings += ["--set", "eks.iam.client_role=arn:aws:iam::123456789012:role/team/client"]
    cluster = [*CLUSTER, "--profile", "small", *brings]
    policies = written(*cluster)
    named = {statement["Sid"]: statement["Resource"] for statement in statements(policies["client"])}
    assert named["UseNetwork"] == [f"arn:aws:ec2:{REGION}:*:vpc/vpc-0123456789abcdef0"]
    assert named["UseSubnets"] == [f"arn:aws:ec2:{REGION}:*:subnet/subnet-0123456789abcdef{number}" for number in (0, 1)]
    run("rehearse", "up", *cluster, *given(policies["read"], policies["apply"], policies["client"]))
    run("rehearse", "down", *cluster, *given(policies["read"], policies["destroy"]))


def test_another_cluster_is_not_theirs(run: Run, written: Callable[..., dict[str, Path]], policies: dict[str, Path]) -> None:
    other = ["--name", "other", "--provider", "eks", "--region", REGION, "--profile", "small"]
    refused = run("rehearse", "up", *other, *given(written(*other)["read"], policies["apply"]), code=5).stderr
    for action in ("ec2:CreateVpc", "iam:CreateRole"):
        assert f"is not authorized to perform: {action} " in refused, refused


def test_what_is_no_policy_is_refused_by_name(run: Run, tmp_path: Path) -> None:
    (tmp_path / "not.json").write_text("{}")
    refused = run("rehearse", "up", *given(tmp_path / "not.json"), code=2).stderr
    assert "not.json is not a policy of IAM: missing field" in refused and "plan --policy" in refused
    assert "no-such-file.json" in run("rehearse", "up", *given(tmp_path / "no-such-file.json"), code=2).stderr


def test_a_cluster_changes_with_them(policies: dict[str, Path], tmp_path: Path) -> None:
    """Changes of every kind, by a caller who may only apply; the account is another process."""
    small = [*CLUSTER, "--profile", "small"]
    with emulator(*given(policies["read"], policies["apply"])) as endpoint:
        program = Program(endpoint, tmp_path)

        def up(*changes: str) -> str:
            done = program.run("up", *small, "--yes", *changes)
            assert done.returncode == 0, done.stderr
            return done.stderr

        up("--set", "kubernetes.version=1.33")
        changes = ["--set", "kubernetes.version=1.34", "--set", "tags.team=ml", "--set", "kubernetes.api_access=[\"198.51.100.0/24\", \"203.0.113.7/32\"]"]
        assert "nothing was changed" not in up(*changes)
        assert "nothing was changed" not in up(*changes, "--worker-max", "9", "--core-nodes", "4")
        assert "nothing was changed" in up(*changes, "--worker-max", "9", "--core-nodes", "4")
        refused = program.run("down", *small, "--yes", "demo")
        assert refused.returncode == 5 and "is not authorized to perform: ec2:DeleteVpc" not in refused.stdout, refused.stderr
        assert "is not authorized to perform: " in refused.stderr


def test_each_service_refuses_in_its_own_words(policies: dict[str, Path]) -> None:
    with emulator(*given(policies["read"])) as endpoint:
        client = client_of(endpoint)
        refusals = [
            (client("ec2").create_vpc, {"CidrBlock": "10.0.0.0/16"}, "UnauthorizedOperation"),
            (client("eks").delete_cluster, {"name": "demo"}, "AccessDeniedException"),
            (client("iam").delete_role, {"RoleName": f"demo-{REGION}-node"}, "AccessDenied"),
            (client("autoscaling").delete_tags, {"Tags": [{"ResourceId": "a", "ResourceType": "auto-scaling-group", "Key": "b"}]}, "AccessDenied"),
        ]
        for call, arguments, code in refusals:
            with pytest.raises(botocore.exceptions.ClientError) as refused:
                call(**arguments)
            assert refused.value.response["Error"]["Code"] == code
            assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        # Nobody needs a permission for this.
        assert client("sts").get_caller_identity()["Arn"].endswith(":user/emulated")
        assert client("ec2").describe_vpcs()["Vpcs"] == []
        names = ["ec2:CreateVpc", "ec2:DescribeVpcs"]
        found = client("iam").simulate_principal_policy(PolicySourceArn="arn:aws:iam::123456789012:user/emulated", ActionNames=names)
        assert [result["EvalDecision"] for result in found["EvaluationResults"]] == ["implicitDeny", "allowed"]
