"""Line 3 of the engine: a journal in a bucket is the lease of a team, on the S3 of moto and of ministack."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import account
import expected
from conftest import CLUSTER, REGION, SPEC, Cli, Rig, up_arguments
from test_12_secrets import CANARY, MAY_FAIL, SOURCES, TOKEN, in_sso_cache, stop_servers  # noqa: F401
from test_5_life_moto import WITHOUT
from test_8_two_runs import second_key

BUCKET, PREFIX = "team-journals", "clusters/a"
KEY = f"{PREFIX}/eks-{REGION}-{CLUSTER}.journal"
URL = f"s3://{BUCKET}/{KEY}"
IN_BUCKET = {"HOWSO_INFRA_JOURNAL": f"s3://{BUCKET}/{PREFIX}"}
# Nothing here but the test of lost answers waits for a timeout; a busy machine must not make one.
PATIENT = {"HOWSO_INFRA_ENGINE__REQUEST_TIMEOUT": "30s"}
# Enough for all that is about the journal alone.
PROFILE = "small"
OBJECT_CALLS = {"s3:GetObject", "s3:PutObject"}


@pytest.fixture(params=["moto", "ministack"])
def rig(request: pytest.FixtureRequest) -> Rig:
    """Each server with an empty bucket. Where a test needs only one, it says which."""
    found = request.getfixturevalue(request.param)
    found.client("s3").create_bucket(Bucket=BUCKET)
    return found


only_moto = pytest.mark.parametrize("rig", ["moto"], indirect=True)
only_ministack = pytest.mark.parametrize("rig", ["ministack"], indirect=True)


@pytest.fixture
def cli_in(cli_for: Any) -> Any:
    """Makes machines that keep their journal in the bucket; each has a home, and so a state directory, of its own."""

    def make(rig: Rig, name: str = "home", **settings: str) -> Cli:
        without = WITHOUT if rig.server.name == "moto" else {}
        return cli_for(rig, name, **{**without, **IN_BUCKET, **PATIENT, **settings})

    return make


def raw(rig: Rig, key: str = KEY) -> bytes:
    return rig.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()


def lease(rig: Rig) -> dict[str, Any]:
    return json.loads(raw(rig).split(b"\n", 1)[0])


def records(rig: Rig, key: str = KEY) -> list[dict[str, Any]]:
    return [json.loads(line)["entry"] for line in raw(rig, key).decode().splitlines()[1:]]


def keys(rig: Rig) -> list[str]:
    return sorted(item["Key"] for item in rig.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", []))


def changes(rig: Rig, access_key: str | None = None) -> list[str]:
    """What could change the account, other than the journal."""
    mine = [exchange for exchange in rig.proxy.mutations() if access_key in (None, exchange.access_key)]
    return [str(exchange) for exchange in mine if exchange.operation.service != "s3"]


def journal_calls(rig: Rig) -> list[Any]:
    return [exchange for exchange in rig.proxy.exchanges() if exchange.operation.service == "s3"]


def is_conditional(exchange: Any) -> bool:
    return any(name.lower() in ("if-match", "if-none-match") for name, _ in exchange.headers)


def reached(rig: Rig, process: subprocess.Popen) -> None:
    while rig.proxy.reached(0.25) is None:
        assert process.poll() is None, process.communicate()


def settle(rig: Rig) -> None:
    """Waits until the program has sent everything it can send while one of its calls is held up.

    What a program has handed to the network when its lease ends still leaves, so a test that counts calls begins when there
    is no such call.
    """
    sent, since = len(changes(rig)), time.monotonic()
    while time.monotonic() - since < 2:
        time.sleep(0.1)
        if len(changes(rig)) != sent:
            sent, since = len(changes(rig)), time.monotonic()


def wait_until(moment: datetime) -> None:
    while datetime.now(UTC) <= moment:
        time.sleep(0.05)


def end_lease(rig: Rig) -> None:
    """Lets the lease have run out long ago, as if a minute had passed."""
    first, rest = raw(rig).split(b"\n", 1)
    ended = {**json.loads(first), "until": "2020-01-01T00:00:00Z"}
    rig.client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=json.dumps(ended).encode() + b"\n" + rest)


def test_the_server_keeps_the_conditions_of_a_put(rig: Rig) -> None:
    """What every other test here rests on."""
    s3 = rig.client("s3")

    def put(**condition: str) -> str:
        try:
            return s3.put_object(Bucket=BUCKET, Key="k", Body=os.urandom(8), **condition)["ETag"]
        except s3.exceptions.ClientError as error:
            return error.response["Error"]["Code"]

    assert put(IfMatch='"00"') == "NoSuchKey"
    first = put(IfNoneMatch="*")
    assert put(IfNoneMatch="*") == "PreconditionFailed"
    second = put(IfMatch=first)
    assert second.startswith('"')
    assert put(IfMatch=first) == "PreconditionFailed"


def test_life_with_the_journal_in_a_bucket(cli_in: Any, rig: Rig) -> None:
    cli = cli_in(rig)
    cli.up().expect(0)
    deployment = expected.check_tags(rig)
    assert keys(rig) == [KEY]
    assert deployment in raw(rig).decode()
    assert lease(rig)["holder"] is None, "the lease was not given free"
    assert not cli.state.exists() or not any(cli.state.rglob("*.journal")), "a local journal besides the bucket"
    calls = journal_calls(rig)
    assert {exchange.key for exchange in calls} == OBJECT_CALLS
    assert all(is_conditional(exchange) for exchange in calls if exchange.key == "s3:PutObject")

    # Another machine finds the same deployment and has nothing to do.
    other = cli_in(rig, "other")
    for _ in range(2):
        rig.proxy.reset()
        other.up().expect(0)
        assert changes(rig) == []
    rig.proxy.reset()
    other.plan().expect(0)
    assert [exchange.key for exchange in journal_calls(rig)] == ["s3:GetObject"], "a plan takes no lease"

    other.down().expect(0)
    assert account.inventory(rig.client) == {}
    assert keys(rig) == [KEY, f"{KEY}.removed"]
    assert records(rig) == []
    assert deployment in raw(rig, f"{KEY}.removed").decode()

    cli.up().expect(0)
    assert expected.check_tags(rig) != deployment, "a new deployment after a complete removal"


@only_ministack
def test_an_up_with_the_journal_in_a_bucket_makes_the_same_as_with_a_file(cli_for: Any, cli_in: Any, rig: Rig) -> None:
    cli_for(rig, "file").up().expect(0)
    with_file = account.inventory(rig.client)
    rig.reset()
    rig.client("s3").create_bucket(Bucket=BUCKET)
    cli_in(rig).up().expect(0)
    assert account.differences(with_file, account.inventory(rig.client)) == []


def test_of_two_machines_one_wins_and_the_other_changes_nothing(cli_in: Any, rig: Rig) -> None:
    first, second = cli_in(rig, "first"), cli_in(rig, "second")
    rig.proxy.arm({"match": {"operation": "ec2:CreateVpc"}, "kind": "delay", "seconds": 4})
    running = first.start(*up_arguments(PROFILE))
    reached(rig, running)
    other = second_key(rig)
    refused = second.up(profile=PROFILE, env=other).expect(8)
    assert running.poll() is None, "the first run was over before the second: the test shows nothing"
    assert URL in refused.stderr and f"process {running.pid}" in refused.stderr and "hint" in refused.stderr
    second.down(profile=PROFILE, env=other).expect(8)
    first.finish(running, up_arguments(PROFILE)).expect(0)
    assert changes(rig, other["AWS_ACCESS_KEY_ID"]) == []
    mine = [exchange for exchange in journal_calls(rig) if exchange.access_key == other["AWS_ACCESS_KEY_ID"]]
    assert mine and all(exchange.key == "s3:GetObject" or is_conditional(exchange) for exchange in mine)


def test_of_two_machines_started_together_one_wins(cli_in: Any, rig: Rig) -> None:
    # Both read that there is no journal before either writes one: the conditional put decides.
    rig.proxy.arm(
        {"match": {"operation": "s3:PutObject", "nth": 1}, "kind": "delay", "seconds": 2},
        {"match": {"operation": "ec2:CreateVpc"}, "kind": "delay", "seconds": 3},
    )
    both = [cli_in(rig, name) for name in ("first", "second")]
    running = [cli.start(*up_arguments(PROFILE)) for cli in both]
    results = [cli.finish(process, up_arguments(PROFILE)) for cli, process in zip(both, running, strict=True)]
    assert sorted(result.code for result in results) == [0, 8], [str(result) for result in results]
    assert [exchange.status for exchange in journal_calls(rig) if exchange.key == "s3:PutObject"].count(412) == 1
    assert rig.proxy.counts()["ec2:CreateVpc"] == 1


@only_moto
def test_a_killed_holder_is_taken_over_when_its_lease_has_run_out(cli_in: Any, rig: Rig) -> None:
    killed, successor = cli_in(rig, "killed"), cli_in(rig, "successor")
    rig.proxy.arm({"match": {"operation": "eks:CreateCluster"}, "kind": "hold-before"})
    process = killed.start(*up_arguments(PROFILE))
    reached(rig, process)
    killed.kill(process)
    rig.proxy.wait_idle()
    rig.proxy.reset()
    fence = lease(rig)["fence"]
    refused = successor.up(profile=PROFILE).expect(8)
    assert "its lease ends at" in refused.stderr
    assert changes(rig) == []
    end_lease(rig)
    successor.up(profile=PROFILE).expect(0)
    assert lease(rig)["fence"] > fence
    expected.check_tags(rig)
    counts = rig.proxy.counts()
    assert counts["ec2:CreateVpc"] == 0 and counts["eks:CreateCluster"] == 1, "what the dead run had made was made again"
    assert not [name for name in account.inventory(rig.client) if "#" in name]


@only_moto
def test_a_sleeper_is_taken_over_in_real_time_and_fenced(cli_in: Any, rig: Rig) -> None:
    """The whole minute: nobody may take the lease before its end, and who wakes up after it can change nothing more."""
    sleeper, successor = cli_in(rig, "sleeper"), cli_in(rig, "successor")
    other = second_key(rig)
    rig.proxy.arm({"match": {"operation": "eks:CreateCluster"}, "kind": "delay", "seconds": 15})
    process = sleeper.start(*up_arguments(PROFILE))
    reached(rig, process)
    settle(rig)
    os.kill(process.pid, signal.SIGSTOP)
    rig.proxy.wait_idle()
    until = datetime.fromisoformat(lease(rig)["until"])
    for moment in (datetime.now(UTC), until - timedelta(seconds=5)):
        wait_until(moment)
        successor.up(profile=PROFILE, env=other).expect(8)
    assert datetime.now(UTC) < until, "the second attempt came too late to show anything"
    wait_until(until)
    successor.up(profile=PROFILE, env=other).expect(0)
    before = len(rig.proxy.exchanges())
    own = sleeper.credentials["AWS_ACCESS_KEY_ID"]
    os.kill(process.pid, signal.SIGCONT)
    woken = sleeper.finish(process, up_arguments(PROFILE)).expect(4)
    assert "journal" in woken.stderr and "hint" in woken.stderr
    after = [exchange for exchange in rig.proxy.exchanges()[before:] if exchange.access_key == own and exchange.mutating]
    assert [exchange.key for exchange in after if exchange.operation.service != "s3"] == []
    assert {exchange.status for exchange in after} <= {412}, "a write of the sleeper was taken"
    assert not [name for name in account.inventory(rig.client) if "#" in name]
    rig.proxy.reset()
    successor.up(profile=PROFILE).expect(0)
    assert changes(rig) == []


@only_ministack
def test_a_run_that_loses_its_journal_to_another_stops_at_its_next_write(cli_in: Any, rig: Rig) -> None:
    cli = cli_in(rig)
    rig.proxy.arm({"match": {"operation": "ec2:CreateVpc"}, "kind": "delay", "seconds": 15})
    process = cli.start(*up_arguments(PROFILE))
    reached(rig, process)
    settle(rig)
    first, rest = raw(rig).split(b"\n", 1)
    thief = {**json.loads(first), "fence": 99, "holder": {"host": "other", "process_id": 1, "started": "2026-01-01T00:00:00Z"}}
    rig.client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=json.dumps(thief).encode() + b"\n" + rest)
    sent = len(changes(rig))
    result = cli.finish(process, up_arguments(PROFILE)).expect(4)
    assert "on other" in result.stderr, "it does not say who has the journal now"
    assert len(changes(rig)) == sent
    assert lease(rig)["fence"] == 99, "the other run's lease was overwritten"


def test_a_deleted_journal_is_rebuilt_from_tags(cli_in: Any, rig: Rig) -> None:
    cli = cli_in(rig)
    cli.up(profile=PROFILE).expect(0)
    deployment = expected.check_tags(rig)
    rig.client("s3").delete_object(Bucket=BUCKET, Key=KEY)
    rig.proxy.reset()
    cli.up(profile=PROFILE).expect(0)
    assert changes(rig) == []
    assert deployment in raw(rig).decode()
    cli.down(profile=PROFILE).expect(0)
    assert account.inventory(rig.client) == {}


@only_ministack
def test_a_journal_deleted_during_a_run_stops_it(cli_in: Any, rig: Rig) -> None:
    cli = cli_in(rig)
    rig.proxy.arm({"match": {"operation": "ec2:CreateVpc"}, "kind": "delay", "seconds": 2})
    process = cli.start(*up_arguments(PROFILE))
    reached(rig, process)
    rig.client("s3").delete_object(Bucket=BUCKET, Key=KEY)
    cli.finish(process, up_arguments(PROFILE)).expect(4)
    rig.proxy.reset()
    cli.up(profile=PROFILE).expect(0)
    assert rig.proxy.counts()["ec2:CreateVpc"] == 0


@only_ministack
@pytest.mark.parametrize("kind", ["silence-after-commit", "reset-after-commit", "error-500-after-commit", "reset", "silence", "error-500-before"])
@pytest.mark.parametrize("nth", [1, 5])
def test_a_write_whose_answer_is_lost_is_no_lost_lease(cli_in: Any, rig: Rig, kind: str, nth: int) -> None:
    cli = cli_in(rig, HOWSO_INFRA_ENGINE__REQUEST_TIMEOUT="5s")
    rig.proxy.arm({"match": {"operation": "s3:PutObject", "nth": nth}, "kind": kind})
    cli.up(profile=PROFILE).expect(0)
    assert rig.proxy.faults()[0]["fired"], "the fault met nothing"
    assert lease(rig)["holder"] is None
    numbers = [record["sequence"] for record in records(rig)]
    assert numbers == list(range(1, len(numbers) + 1)), "an entry is missing or there twice"


@only_ministack
def test_a_bucket_that_does_not_exist_stops_before_the_first_change(cli_in: Any, rig: Rig) -> None:
    cli = cli_in(rig, HOWSO_INFRA_JOURNAL="s3://nowhere-at-all/x")
    for result in (cli.up(profile=PROFILE), cli.down(profile=PROFILE), cli.plan(profile=PROFILE), cli.run("status", "--profile", PROFILE, *SPEC)):
        result.expect(1)
        assert "NoSuchBucket" in result.stderr and "hint: create the bucket" in result.stderr, result.stderr
    assert changes(rig) == []


@only_ministack
@pytest.mark.parametrize("call", ["s3:GetObject", "s3:PutObject"])
@pytest.mark.parametrize(("kind", "hint"), [("access-denied", "s3:PutObject"), ("expired-token", "AWS_PROFILE")])
def test_a_bucket_that_may_not_be_used_stops_before_the_first_change(cli_in: Any, rig: Rig, call: str, kind: str, hint: str) -> None:
    cli = cli_in(rig)
    rig.proxy.arm({"match": {"operation": call, "nth": 1}, "kind": kind, "times": 0})
    result = cli.up(profile=PROFILE).expect(5)
    assert URL in result.stderr and hint in result.stderr.partition("hint:")[2], result.stderr
    assert changes(rig) == []


@only_ministack
def test_a_bucket_that_becomes_forbidden_in_the_middle_stops_the_run_resumably(cli_in: Any, rig: Rig) -> None:
    cli = cli_in(rig)
    rig.proxy.arm({"match": {"operation": "s3:PutObject", "nth": 6}, "kind": "access-denied", "times": 0})
    result = cli.up(profile=PROFILE).expect(4)
    assert "AccessDenied" in result.stderr and "howso-infra up" in result.stderr, result.stderr
    rig.proxy.reset()
    end_lease(rig)
    cli.up(profile=PROFILE).expect(0)
    assert not [name for name in account.inventory(rig.client) if "#" in name]


@only_ministack
def test_without_credentials_the_run_stops_with_a_hint(cli_in: Any, rig: Rig) -> None:
    cli = cli_in(rig)
    cli.credentials = {}
    result = cli.up(profile=PROFILE).expect(5)
    assert "no AWS credentials were found" in result.stderr and "aws sso login" in result.stderr
    assert rig.proxy.exchanges() == []


@only_ministack
def test_a_server_that_is_not_there_is_given_up_in_time(cli_in: Any, rig: Rig) -> None:
    cli = cli_in(rig, AWS_ENDPOINT_URL_S3="http://127.0.0.1:9")
    result = cli.up(profile=PROFILE).expect(1)
    assert "refused" in result.stderr and "hint" in result.stderr, result.stderr
    assert changes(rig) == []


@only_ministack
@pytest.mark.parametrize("endpoint", ["nowhere", "http://", "127.0.0.1:9000"])
def test_an_endpoint_that_is_none_is_an_error(cli_in: Any, rig: Rig, endpoint: str) -> None:
    cli = cli_in(rig, AWS_ENDPOINT_URL_S3=endpoint)
    result = cli.up(profile=PROFILE).expect(1)
    assert "hint: correct AWS_ENDPOINT_URL_S3" in result.stderr
    assert changes(rig) == []


@only_ministack
def test_the_endpoint_of_s3_alone_may_be_another(cli_in: Any, rig: Rig) -> None:
    """By `AWS_ENDPOINT_URL_S3` and by the services section of a profile, as every AWS tool takes it."""
    cli = cli_in(rig, AWS_ENDPOINT_URL_S3=rig.server.endpoint)
    cli.up(profile=PROFILE).expect(0)
    assert journal_calls(rig) == [], "the journal went to AWS_ENDPOINT_URL"
    assert keys(rig) == [KEY]
    # The environment comes before the profile, so the profile is seen alone.
    (cli.home / ".aws").mkdir()
    profile = f"[profile work]\nservices = mine\nendpoint_url = {rig.proxy.endpoint}\n"
    services = f"[services mine]\ns3 =\n  endpoint_url = {rig.server.endpoint}\n"
    (cli.home / ".aws" / "config").write_text(profile + services)
    whole = cli.environment({"AWS_PROFILE": "work"})
    cli.environment = lambda _: {name: value for name, value in whole.items() if not name.startswith("AWS_ENDPOINT_URL")}
    rig.proxy.reset()
    cli.up(profile=PROFILE).expect(0)
    assert rig.proxy.exchanges() and journal_calls(rig) == []
    assert lease(rig)["fence"] == 2


@only_ministack
def test_the_region_is_the_profiles_or_else_the_clusters(cli_in: Any, rig: Rig) -> None:
    def signed_for(**env: str) -> set[str]:
        rig.proxy.reset()
        cli.plan(profile=PROFILE, env=env)
        authorizations = [dict(exchange.headers).get("authorization", "") for exchange in journal_calls(rig)]
        return {authorization.split("/")[2] for authorization in authorizations}

    cli = cli_in(rig)
    (cli.home / ".aws").mkdir()
    (cli.home / ".aws" / "config").write_text("[profile far]\nregion = eu-north-1\n")
    assert signed_for() == {REGION}
    assert signed_for(AWS_REGION="eu-west-3") == {"eu-west-3"}
    assert signed_for(AWS_PROFILE="far") == {"eu-north-1"}


@only_ministack
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_every_source_of_credentials_works_and_leaves_no_secret_in_the_bucket(cli_in: Any, rig: Rig, source: Any) -> None:
    cli = cli_in(rig)
    env = source(cli)
    if "AWS_ACCESS_KEY_ID" not in env:
        cli.credentials = {}
    result = cli.up("-v", "-v", profile=PROFILE, env=env | {"RUST_LOG": "trace"})
    if source not in MAY_FAIL:
        result.expect(0)
        signed_by = {exchange.access_key for exchange in journal_calls(rig)}
        assert signed_by == {rig.credentials["AWS_ACCESS_KEY_ID"]}, "the journal was not signed by that source's credentials"
    stored = b"".join(raw(rig, key) for key in keys(rig)).decode()
    key = rig.credentials["AWS_ACCESS_KEY_ID"]
    for secret in (CANARY, TOKEN, key):
        assert secret not in stored, "a credential is in the bucket"
    for secret in (CANARY, TOKEN):
        assert secret not in result.stdout + result.stderr
    if source is in_sso_cache:
        # SSO's call is not signed, so the recording cannot name its service and the model checker would refuse it.
        assert [exchange.key for exchange in rig.proxy.exchanges()] == ["sso:GetRoleCredentials"]
        rig.proxy.reset()


@only_ministack
def test_a_helper_program_is_asked_once_and_not_for_every_write(cli_in: Any, rig: Rig) -> None:
    cli = cli_in(rig)
    key, secret = (cli.credentials[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    folder, log = cli.home / ".aws", cli.home / "asked"
    folder.mkdir()
    helper = folder / "helper"
    answer = json.dumps({"Version": 1, "AccessKeyId": key, "SecretAccessKey": secret})
    helper.write_text(f"#!/bin/sh\necho asked >> {log}\necho '{answer}'\n")
    helper.chmod(0o700)
    (folder / "config").write_text(f"[profile work]\ncredential_process = {helper}\n")
    cli.credentials = {"AWS_PROFILE": "work"}
    cli.up(profile=PROFILE).expect(0)
    assert len(journal_calls(rig)) > 10
    # Once for the journal and once for the calls to the cloud; each cluster of calls keeps what it was given.
    assert len(log.read_text().splitlines()) <= 2


@only_ministack
@pytest.mark.parametrize("how", ["unreadable", "nobody to ask", "adopted", "nothing to adopt"])
def test_a_run_that_ends_before_it_begins_gives_the_lease_free(cli_in: Any, rig: Rig, how: str) -> None:
    cli = cli_in(rig)
    match how:
        case "unreadable":
            rig.proxy.arm({"match": {"operation": "sts:GetCallerIdentity", "nth": 1}, "kind": "access-denied", "times": 0})
            assert cli.up(profile=PROFILE).code != 0
            rig.proxy.reset()
        case "nobody to ask":
            cli.run("up", "--profile", PROFILE, *SPEC, "--until", "cloud").expect(2)
        case "adopted":
            cli.up(profile=PROFILE).expect(0)
            rig.client("s3").delete_object(Bucket=BUCKET, Key=KEY)
            cli.run("adopt", "--profile", PROFILE, *SPEC).expect(0)
            assert expected.check_tags(rig) in raw(rig).decode()
        case "nothing to adopt":
            assert cli.run("adopt", "--profile", PROFILE, *SPEC).code != 0
    assert lease(rig)["holder"] is None
    cli.up(profile=PROFILE).expect(0)


@only_ministack
def test_clusters_of_one_name_in_two_regions_have_journals_of_their_own(cli_in: Any, rig: Rig) -> None:
    cli = cli_in(rig)
    cli.plan(profile=PROFILE)
    cli.run("plan", "--profile", PROFILE, "--provider", "eks", "--region", "eu-west-1", "--name", CLUSTER, "--until", "cloud")
    asked = [exchange.target.partition("?")[0] for exchange in journal_calls(rig)]
    assert asked == [f"/{BUCKET}/{KEY}", f"/{BUCKET}/{PREFIX}/eks-eu-west-1-{CLUSTER}.journal"]
