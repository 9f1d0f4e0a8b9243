"""What people use otherwise gets on with the emulated AWS: the AWS CLI, and Terraform where it is installed."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from awscli.clidriver import create_clidriver
from conftest import REGION, client_of, emulator
from test_1_same_answers import clusters, launch_templates, network, roles
from transcript import Transcript

TERRAFORM = shutil.which("terraform")
# Where plug-ins of Terraform are looked for besides its registry, as its documentation names the places.
MIRRORS = [Path.home() / ".terraform.d" / "plugins", Path("/usr/local/share/terraform/plugins"), Path("/opt/tf-plugins")]
YARDSTICK = Path(__file__).parent.parent / "aws" / "terraform" / "main.tf"
RESOURCES = 27


@dataclass
class CommandLine(Transcript):
    """The calls to one server by the AWS CLI. What a scenario does beside them is still done by boto3."""

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        command = [service, operation.replace("_", "-"), "--no-paginate", "--cli-input-json", json.dumps(parameters)]
        with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.redirect_stderr(io.StringIO()) as errors:
            code = create_clidriver().main(command)
        error = re.search(r"An error occurred \((\S+)\)", errors.getvalue())
        assert (code == 0) == (error is None), errors.getvalue()
        answer = {} if error or not output.getvalue() else json.loads(output.getvalue())
        self.lines.append((f"{service}.{operation}", error[1] if error else self.steady(answer)))
        return answer


@pytest.mark.parametrize("scenario", [network, launch_templates, roles, clusters], ids=lambda scenario: scenario.__name__)
def test_the_aws_cli_is_told_what_boto3_is_told(monkeypatch: pytest.MonkeyPatch, scenario: Callable[[Transcript], None]) -> None:
    with emulator() as one, emulator() as other:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
        monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", other)
        by_boto3, by_cli = Transcript(client_of(one)), CommandLine(client_of(other))
        scenario(by_boto3)
        scenario(by_cli)
    assert by_cli.lines == by_boto3.lines


@pytest.mark.skipif(TERRAFORM is None, reason="Terraform is not installed")
def test_terraform_makes_a_cluster_finds_it_as_it_is_and_removes_it(tmp_path: Path) -> None:
    mirrors = [mirror for mirror in MIRRORS if (mirror / "registry.terraform.io" / "hashicorp" / "aws").is_dir()]
    if not mirrors:
        pytest.skip("the AWS provider of Terraform is not installed")
    shutil.copy(YARDSTICK, tmp_path)
    (tmp_path / "terraform.rc").write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirrors[0]}"\n  }}\n}}\n')
    with emulator() as endpoint:

        def terraform(*arguments: str, codes: tuple[int, ...] = (0,)) -> str:
            environment = {
                "HOME": str(tmp_path),
                "PATH": os.environ["PATH"],
                "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
                "AWS_SECRET_ACCESS_KEY": "made-up",
                "AWS_EC2_METADATA_DISABLED": "true",
                "TF_CLI_CONFIG_FILE": str(tmp_path / "terraform.rc"),
                "TF_IN_AUTOMATION": "1",
                "TF_VAR_endpoint": endpoint,
            }
            command = [TERRAFORM, *arguments, "-input=false", "-no-color"]
            done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False)
            assert done.returncode in codes, done.stdout + done.stderr
            return done.stdout

        terraform("init")
        assert f"Apply complete! Resources: {RESOURCES} added, 0 changed, 0 destroyed." in terraform("apply", "-auto-approve")
        # The exit code would be 2 if anything were to be changed.
        assert "No changes." in terraform("plan", "-detailed-exitcode")
        # Somebody turns it off behind Terraform's back.
        vpc = client_of(endpoint)("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
        client_of(endpoint)("ec2").modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": False})
        assert "1 to change" in terraform("plan", "-detailed-exitcode", codes=(2,))
        assert f"Destroy complete! Resources: {RESOURCES} destroyed." in terraform("destroy", "-auto-approve")
        assert client_of(endpoint)("ec2").describe_vpcs()["Vpcs"] == []
        assert client_of(endpoint)("eks").list_clusters()["clusters"] == []
