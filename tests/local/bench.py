"""What `up` costs on top of k3d: both make the same cluster in turn, in one run, and only the ratio counts.

    PYTHONPATH=../rig HOWSO_TESTS_BIN=target/release/howso-infra python bench.py [ROUNDS]

`k3d` alone gets a configuration of its own with the same image, nodes, arguments, labels, taints, ports and registry.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import docker
from conftest import IMAGES, Cli

WORKERS = 2
LABEL, TAINT = "howso.com/allowWorkers=False", "--node-taint=howso.com/nodetype=worker:NoSchedule"


def kubelet_arguments(container: str) -> list[str]:
    """What a node tells its kubelet: how much of the machine is not its own."""
    return [word for word in docker.inspect(container)["Config"]["Cmd"] if word.startswith("--kubelet-arg")]


def configuration(images: dict[str, str], kubelet: list[str]) -> str:
    """The same cluster in k3d's own words."""
    core, workers = ["server:0", "agent:0"], [f"agent:{index + 1}" for index in range(WORKERS)]
    return json.dumps(
        {
            "apiVersion": "k3d.io/v1alpha5",
            "kind": "Simple",
            "metadata": {"name": "alone"},
            "servers": 1,
            "agents": 1 + WORKERS,
            "image": images["NODE_IMAGE"],
            "kubeAPI": {"hostIP": "127.0.0.1"},
            "ports": [{"port": f"127.0.0.1:{outside}:{inside}", "nodeFilters": ["loadbalancer"]} for outside, inside in ((80, 80), (443, 443))],
            "registries": {"create": {"name": "k3d-alone-registry", "host": "127.0.0.1", "hostPort": "5000", "image": images["REGISTRY_IMAGE"]}},
            "options": {
                "k3d": {"wait": True},
                "k3s": {
                    "nodeLabels": [{"label": LABEL, "nodeFilters": core}],
                    "extraArgs": [{"arg": TAINT, "nodeFilters": workers}, *({"arg": word, "nodeFilters": core + workers} for word in kubelet)],
                },
                "kubeconfig": {"updateDefaultKubeconfig": False, "switchCurrentContext": False},
            },
        }
    )


def seconds(work: object) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    built = subprocess.run([IMAGES / "build"], capture_output=True, text=True, check=True).stdout
    images = dict(line.split("=", 1) for line in built.splitlines())
    with tempfile.TemporaryDirectory() as folder:
        cli = Cli(os.environ["HOWSO_TESTS_BIN"], Path(folder), images=images, cluster="local")
        settings = f"workers.default.local={WORKERS}"

        # The first of all finds cold caches and is not counted; it also shows the arguments.
        cli.run(*cli.up_arguments(settings), "--until", "cloud", timeout=300).expect(0)
        kubelet = kubelet_arguments("k3d-local-server-0")
        assert kubelet, "no argument for the kubelet"
        cli.run(*cli.down_arguments(), "--force-workloads", timeout=300).expect(0)

        def k3d_alone() -> float:
            create = ["k3d", "cluster", "create", "--config", "-"]
            options = {"input": configuration(images, kubelet), "text": True, "capture_output": True, "check": True, "env": cli.environment()}
            taken = seconds(lambda: subprocess.run(create, **options))
            docker.remove("alone")
            docker.output("docker", "rm", "--force", "k3d-alone-registry", check=False)
            return taken

        def up_until_cloud() -> float:
            taken = seconds(lambda: cli.run(*cli.up_arguments(settings), "--until", "cloud", timeout=300).expect(0))
            cli.run(*cli.down_arguments(), "--force-workloads", timeout=300).expect(0)
            return taken

        alone, cloud = [], []
        for number in range(rounds):
            # Whoever comes second finds what the other's removal still does to the disk, so they take turns.
            for measure, into in [(k3d_alone, alone), (up_until_cloud, cloud)][:: -1 if number % 2 else 1]:
                into.append(measure())
        ratios = [ours / theirs for ours, theirs in zip(cloud, alone, strict=True)]
        print(f"k3d cluster create alone: {statistics.median(alone):.1f} s ({', '.join(f'{value:.1f}' for value in alone)})")
        print(f"up --until cloud: {statistics.median(cloud):.1f} s ({', '.join(f'{value:.1f}' for value in cloud)})")
        print(f"ratio, median of the rounds: {statistics.median(ratios):.3f} ({', '.join(f'{value:.3f}' for value in ratios)})")
        first = seconds(lambda: cli.run(*cli.up_arguments(settings), "--until", "cloud", timeout=300).expect(0))
        inside = seconds(lambda: cli.up(settings).expect(0))
        print(f"what is inside, applied and verified: {inside:.1f} s after {first:.1f} s")
        cli.down().expect(0)


if __name__ == "__main__":
    main()
