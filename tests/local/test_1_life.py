"""Line 1: a cluster on real Docker, from nothing over every number of workers to nothing, beside a neighbour's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

import docker
from cluster import Nodes, nodes
from conftest import Cli, Result


def is_unchanged(result: Result) -> bool:
    return "nothing was changed" in result.stderr


def nodes_named(core: list[str], workers: list[str]) -> Nodes:
    return Nodes([f"k3d-local-{name}" for name in core], [f"k3d-local-{name}" for name in workers])


@pytest.fixture
def neighbour() -> Iterator[str]:
    """The name of a cluster that somebody else makes."""
    yield "neighbour"
    docker.remove("neighbour")


def test_the_whole_life_of_a_cluster_beside_that_of_a_neighbour(cli: Cli, images: dict[str, str], neighbour: str) -> None:
    cli.k3d("cluster", "create", neighbour, "--image", images["NODE_IMAGE"], "--no-lb", "--kubeconfig-update-default=false")
    before = docker.inventory()
    untouched = docker.inspect("k3d-neighbour-server-0")

    cli.up().expect(0)
    assert nodes(cli) == nodes_named(["agent-0", "server-0"], [])
    made = docker.inventory()

    again = cli.up().expect(0)
    assert is_unchanged(again) and docker.inventory() == made
    cli.plan().expect(0)

    cli.up("workers.default.local=1").expect(0)
    assert nodes(cli) == nodes_named(["agent-0", "server-0"], ["worker-0"])
    cli.up("workers.default.local=3").expect(0)
    assert nodes(cli) == nodes_named(["agent-0", "server-0"], ["worker-0", "worker-1", "worker-2"])
    assert made.containers < docker.inventory().containers, "nodes that were there were made again"
    # Without a number, what is there stays: an autoscaler may have made it.
    assert is_unchanged(cli.up("workers.default.max=3").expect(0))
    cli.up("workers.default.local=0").expect(0)
    assert nodes(cli) == nodes_named(["agent-0", "server-0"], [])
    assert docker.inventory() == made

    cli.down().expect(0)
    assert docker.inventory() == before
    now = docker.inspect("k3d-neighbour-server-0")
    assert (now["Id"], now["State"]) == (untouched["Id"], untouched["State"]), "the neighbour's cluster was touched"
    cli.down().expect(0)
    assert docker.inventory() == before


def test_workers_that_are_wanted_at_once_come_with_the_cluster(cli_named: Callable[[str], Cli], before: docker.Inventory) -> None:
    cli = cli_named("many")
    cli.up("core.nodes=1", "workers.default.local=1", "k3d.registry=false").expect(0)
    found = nodes(cli)
    assert (len(found.core), len(found.workers)) == (1, 1)

    # The user's own kubeconfig gets entries for the cluster, and loses them with it.
    theirs = cli.home / ".kube" / "config"
    theirs.write_text("# mine\napiVersion: v1\nkind: Config\nclusters:\n- name: other\n  cluster: {server: https://other.example}\ncurrent-context: other\n")
    own = theirs.read_text()
    cli.run("kubeconfig", "--merge", *cli.spec()).expect(0)
    assert theirs.read_text().startswith("# mine")
    listed = docker.output("kubectl", "--kubeconfig", str(theirs), "--context", "k3d-many", "get", "nodes", env=cli.environment())
    assert "k3d-many-server-0" in listed
    kubeconfig = theirs.read_text()
    cli.forget()
    theirs.parent.mkdir()
    theirs.write_text(kubeconfig)
    assert is_unchanged(cli.up("core.nodes=1", "workers.default.local=1", "k3d.registry=false").expect(0)), "without local state"
    cli.down().expect(0)
    assert docker.inventory() == before
    document = json.loads(docker.output("kubectl", "--kubeconfig", str(theirs), "config", "view", "--output", "json", env=cli.environment()))
    assert [cluster["name"] for cluster in document["clusters"]] == ["other"] and not document["users"], document
    assert theirs.read_text().startswith(own.rstrip()), theirs.read_text()
