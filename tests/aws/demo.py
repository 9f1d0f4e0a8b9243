"""Runs the main job of the program against ministack on this machine: up, status, down.

    python demo.py PATH-OF-howso-infra [arguments of `up`]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import servers

CLUSTER = ["--provider", "eks", "--region", "us-east-1", "--name", "demo"]
UP = ["--profile", "large", "--yes"]


def main(binary: str, arguments: list[str]) -> int:
    with servers.Ministack() as server, tempfile.TemporaryDirectory(prefix="howso-infra-demo-") as home:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "TERM": os.environ.get("TERM", "dumb"),
            "HOME": home,
            "AWS_ENDPOINT_URL": server.endpoint,
            "AWS_ACCESS_KEY_ID": "demo",
            "AWS_SECRET_ACCESS_KEY": "demo",
            "AWS_EC2_METADATA_DISABLED": "true",
            # Nothing outside this machine is asked.
            "HOWSO_INFRA_KUBERNETES__API_ACCESS": "private",
            # The emulator answers at once; a cloud would be asked every 1 to 15 seconds.
            "HOWSO_INFRA_ENGINE__POLL_INTERVAL_MIN": "10ms",
            "HOWSO_INFRA_ENGINE__POLL_INTERVAL_MAX": "100ms",
        }

        def run(*words: str) -> int:
            print(f"\n$ howso-infra {' '.join(words)}", file=sys.stderr, flush=True)
            return subprocess.run([binary, *words], env=environment, cwd=home, check=False).returncode

        code = run("up", *CLUSTER, "--until", "cloud", *(arguments or UP))
        if code == 0:
            code = run("status", *CLUSTER, "--profile", "large", "--until", "cloud")
        return run("down", *CLUSTER, "--yes", "demo") or code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], sys.argv[2:]))
