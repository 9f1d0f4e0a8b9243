"""Line 12: a canary in every source of credentials appears in nothing that the program writes; files are the owner's only."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from conftest import CLUSTER, SPEC, Cli, Result, Rig

CANARY = "canary0secret0value0that0must0not0appear"
TOKEN = "canary1session1token1that1must1not1appear"
CANARIES = (CANARY, TOKEN)
VERBOSE = ("-v",)


def key_of(cli: Cli) -> str:
    return cli.credentials["AWS_ACCESS_KEY_ID"]


def in_environment(cli: Cli) -> dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": key_of(cli), "AWS_SECRET_ACCESS_KEY": CANARY, "AWS_SESSION_TOKEN": TOKEN}


def in_profile(cli: Cli) -> dict[str, str]:
    folder = cli.home / ".aws"
    folder.mkdir()
    text = f"[work]\naws_access_key_id = {key_of(cli)}\naws_secret_access_key = {CANARY}\naws_session_token = {TOKEN}\n"
    (folder / "credentials").write_text(text)
    (folder / "config").write_text("[profile work]\nregion = us-east-1\n")
    return {"AWS_PROFILE": "work"}


def in_credential_process(cli: Cli) -> dict[str, str]:
    folder = cli.home / ".aws"
    folder.mkdir()
    answer = {"Version": 1, "AccessKeyId": key_of(cli), "SecretAccessKey": CANARY, "SessionToken": TOKEN}
    (folder / "answer.json").write_text(json.dumps(answer))
    (folder / "config").write_text(f"[profile work]\nregion = us-east-1\ncredential_process = cat {folder / 'answer.json'}\n")
    return {"AWS_PROFILE": "work"}


def in_web_identity(cli: Cli) -> dict[str, str]:
    token = cli.home / "token"
    token.write_text(TOKEN)
    return {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token), "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/web", "AWS_ROLE_SESSION_NAME": "web"}


def in_sso_cache(cli: Cli) -> dict[str, str]:
    cache = cli.home / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    start = "https://example.awsapps.com/start"
    (cli.home / ".aws" / "config").write_text(
        f"[profile work]\nregion = us-east-1\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = admin\n"
        f"[sso-session s]\nsso_region = us-east-1\nsso_start_url = {start}\n"
    )
    import hashlib

    token = {"startUrl": start, "region": "us-east-1", "accessToken": TOKEN, "expiresAt": "2099-01-01T00:00:00Z", "clientSecret": CANARY}
    (cache / f"{hashlib.sha1(b's').hexdigest()}.json").write_text(json.dumps(token))
    return {"AWS_PROFILE": "work"}


def in_container(cli: Cli) -> dict[str, str]:
    return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": container_endpoint(key_of(cli)), "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN}


_servers: list[HTTPServer] = []


def container_endpoint(key: str) -> str:
    answer = {"AccessKeyId": key, "SecretAccessKey": CANARY, "Token": TOKEN, "Expiration": "2099-01-01T00:00:00Z"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    _servers.append(server)
    return f"http://127.0.0.1:{server.server_port}/credentials"


@pytest.fixture(autouse=True)
def stop_servers() -> Iterator[None]:
    yield
    while _servers:
        server = _servers.pop()
        server.shutdown()
        server.server_close()


SOURCES = [in_environment, in_profile, in_credential_process, in_web_identity, in_sso_cache, in_container]
# These get their credentials from services that the server may not have: the run may then stop, as silently about secrets.
MAY_FAIL = {in_web_identity, in_sso_cache}


def given_away(cli: Cli, results: list[Result], inputs: set[Path]) -> list[str]:
    """Where a canary appears: in outputs, and in every file that the program wrote."""
    found = []
    for result in results:
        for name, text in (("stdout", result.stdout), ("stderr", result.stderr)):
            found += [f"{name} of {' '.join(result.arguments)}" for canary in CANARIES if canary in text]
    for path in cli.home.rglob("*"):
        if path.is_file() and path not in inputs:
            found += [str(path.relative_to(cli.home)) for canary in CANARIES if canary.encode() in path.read_bytes()]
    return found


def everything(cli: Cli, rig: Rig, env: dict[str, str]) -> list[Result]:
    """All verbs, plain and verbose and as JSON, also where they fail."""
    results = [
        cli.plan("--out", str(cli.home / "plan.json"), *VERBOSE, env=env),
        cli.up("--output", "json", *VERBOSE, env=env),
        cli.up("-v", "-v", env=env | {"RUST_LOG": "trace", "RUST_BACKTRACE": "1"}),
        cli.run("status", "--profile", "large", *SPEC, "--until", "cloud", env=env),
        cli.run("doctor", "--profile", "large", *SPEC, env=env),
        cli.run("kubeconfig", "--profile", "large", *SPEC, "--print", env=env),
    ]
    for kind in ("access-denied", "expired-token", "error-500-before", "reset"):
        rig.proxy.arm({"match": {"any": "call"}, "kind": kind, "times": 0})
        results.append(cli.up("-v", env=env | {"HOWSO_INFRA_ENGINE__RETRY_ATTEMPTS": "2"}))
    rig.proxy.arm()
    results.append(cli.down("-v", env=env))
    return results


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_no_secret_leaves_the_program(cli_for: Any, ministack: Rig, source: Callable[[Cli], dict[str, str]]) -> None:
    cli = cli_for(ministack)
    env = source(cli)
    inputs = {path for path in cli.home.rglob("*") if path.is_file()}
    if "AWS_ACCESS_KEY_ID" not in env:
        cli.credentials = {}
    results = everything(cli, ministack, env)
    if source not in MAY_FAIL:
        results[1].expect(0)
    assert given_away(cli, results, inputs) == []


def in_failing_process(cli: Cli) -> dict[str, str]:
    """A helper program that fails, and writes down that it was asked."""
    folder = cli.home / ".aws"
    folder.mkdir()
    program = cli.home / "helper"
    program.write_text(f"#!/bin/sh\necho asked >> {cli.home / 'asked'}\necho {CANARY} >&2\nexit 1\n")
    program.chmod(0o700)
    (folder / "config").write_text(f"[profile work]\nregion = us-east-1\ncredential_process = {program}\n")
    return {"AWS_PROFILE": "work"}


def times_asked(cli: Cli, rig: Rig) -> int:
    asked = cli.home / "asked"
    by_process = len(asked.read_text().splitlines()) if asked.exists() else 0
    asked.unlink(missing_ok=True)
    return by_process + rig.proxy.counts()["sso:GetRoleCredentials"]


VERBS = {
    "up": ("--until", "cloud", "--yes"),
    "down": ("--yes", CLUSTER),
    "plan": ("--until", "cloud"),
    "status": ("--until", "cloud"),
    "drift": ("--until", "cloud"),
    "doctor": (),
    "adopt": (),
    "kubeconfig": ("--print",),
}


@pytest.mark.parametrize("source", [in_sso_cache, in_failing_process], ids=lambda source: source.__name__)
def test_credentials_that_cannot_be_had_are_asked_for_once_a_command(cli_for: Any, ministack: Rig, source: Callable[[Cli], dict[str, str]]) -> None:
    cli = cli_for(ministack)
    env = source(cli)
    cli.credentials = {}
    for verb, more in VERBS.items():
        ministack.proxy.reset()
        result = cli.run(verb, "--profile", "large", *SPEC, *more, env=env).expect(5)
        assert times_asked(cli, ministack) == 1, verb
        assert all(exchange.key == "sso:GetRoleCredentials" for exchange in ministack.proxy.exchanges()), verb
        assert "error: " in result.stderr and "hint: " in result.stderr
        assert CANARY not in result.stdout + result.stderr


def test_a_portal_that_says_nothing_is_waited_for_once(cli_for: Any, ministack: Rig) -> None:
    cli = cli_for(ministack, HOWSO_INFRA_ENGINE__REQUEST_TIMEOUT="30s")
    env = in_sso_cache(cli)
    cli.credentials = {}
    ministack.proxy.arm({"match": {"operation": "sso:GetRoleCredentials"}, "kind": "silence", "seconds": 60, "times": 0})
    cli.plan(env=env).expect(5)
    assert ministack.proxy.counts() == {"sso:GetRoleCredentials": 1}


def test_the_search_finds_a_planted_secret(cli_for: Any, ministack: Rig) -> None:
    cli = cli_for(ministack)
    (cli.home / "log").write_text(f"secret={CANARY}")
    assert given_away(cli, [Result(("up",), 0, "", f"token {TOKEN}")], set()) == ["stderr of up", "log"]


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_what_is_written_is_the_owners_only(cli_for: Any, ministack: Rig, umask: int) -> None:
    cli = cli_for(ministack)
    inputs = set(cli.home.rglob("*"))
    cli.up(umask=umask).expect(0)
    written = [path for path in cli.home.rglob("*") if path not in inputs]
    files = [path for path in written if path.is_file()]
    assert any(path.name == f"howso-{CLUSTER}.yaml" for path in files)
    assert any(cli.state in path.parents for path in files), "no journal"
    open_files = [f"{path.relative_to(cli.home)} {oct(stat.S_IMODE(path.stat().st_mode))}" for path in files if stat.S_IMODE(path.stat().st_mode) != 0o600]
    assert open_files == []
    folders = [path for path in written if path.is_dir() and (path == cli.state or cli.state in path.parents)]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o700 for path in folders), [(str(path), oct(path.stat().st_mode)) for path in folders]


def test_a_state_directory_that_cannot_be_written_stops_before_the_first_change(cli_for: Any, ministack: Rig) -> None:
    cli = cli_for(ministack)
    cli.state.parent.mkdir(parents=True)
    cli.state.write_text("a file where the directory should be: no user, not even root, can write into it")
    assert cli.up().code not in (0, 3)
    assert ministack.proxy.mutations() == []
