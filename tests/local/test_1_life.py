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


TRAINEE = "trainee-of-the-tests:1"


@pytest.fixture
def trainee(images: dict[str, str]) -> Iterator[str]:
    """An image that Docker has and no registry, as somebody builds one."""
    docker.output("docker", "tag", images["BUSYBOX_IMAGE"], TRAINEE)
    yield TRAINEE
    docker.output("docker", "rmi", TRAINEE, check=False)


def configurations(image: str, *names: str) -> list[str]:
    """Which image each node has under a name: the digest of its configuration, which Docker calls its ID."""
    found = []
    for name in names:
        listed = docker.output("docker", "exec", f"k3d-local-{name}", "ctr", "images", "ls", f"name==docker.io/library/{image}")
        manifest = json.loads(docker.output("docker", "exec", f"k3d-local-{name}", "ctr", "content", "get", listed.splitlines()[1].split()[2]))
        found.append(manifest["config"]["digest"])
    return found


def test_images_of_docker_are_in_every_node_also_in_later_ones(
    cli: Cli, images: dict[str, str], trainee: str, before: docker.Inventory
) -> None:
    settings = ("core.nodes=2", "k3d.registry=false", f"k3d.images=['{trainee}']")
    cli.up(*settings).expect(0)
    first = docker.inspect(trainee)["Id"]
    assert configurations(trainee, "server-0", "agent-0") == [first, first]
    assert is_unchanged(cli.up(*settings).expect(0))

    # A node that comes later has it, and runs it without asking a registry.
    cli.up(*settings, "workers.default.local=1").expect(0)
    assert configurations(trainee, "worker-0") == [first]
    overrides = {"spec": {"nodeName": "k3d-local-worker-0", "tolerations": [{"operator": "Exists"}]}}
    run = ["run", "trainee", "--image", trainee, "--image-pull-policy", "Never", "--restart", "Never", "--overrides", json.dumps(overrides)]
    cli.kubectl(*run, "--command", "--", "true")
    cli.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/trainee", "--timeout=60s")

    # One that is built anew is given to those that have the old one.
    docker.output("docker", "tag", images["PAUSE_IMAGE"], trainee)
    second = docker.inspect(trainee)["Id"]
    assert second != first
    planned = cli.plan(*settings).expect(3)
    assert "images" in planned.stdout and "3 " in planned.stdout, planned.stdout
    cli.up(*settings).expect(0)
    assert configurations(trainee, "server-0", "agent-0", "worker-0") == [second] * 3

    # What Docker does not have any more stays, and only a node that lacks it cannot be made.
    docker.output("docker", "rmi", trainee)
    assert is_unchanged(cli.up(*settings).expect(0))
    made = docker.inventory()
    refused = cli.up(*settings, "workers.default.local=2").expect(2)
    assert "image: docker.io/library/trainee-of-the-tests:1" in refused.stderr and "docker pull" in refused.stderr, refused.stderr
    assert docker.inventory() == made
    cli.run(*cli.down_arguments(), "--force-workloads", timeout=300).expect(0)
    assert docker.inventory() == before
