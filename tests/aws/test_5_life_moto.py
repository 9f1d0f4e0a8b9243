"""Line 5: the same life on moto, which knows dependencies and has neither add-ons nor ASG tags."""

from __future__ import annotations

from typing import Any

import pytest

import account
import expected
from conftest import CLUSTER, Cli, Rig

# moto answers 404 to add-ons, access entries and pod identity, and 500 to tags of node groups' autoscaling groups.
WITHOUT = {"HOWSO_INFRA_ADDONS": "false", "HOWSO_INFRA_AUTOSCALER__ENABLED": "false"}


@pytest.fixture
def cli(cli_for: Any, moto: Rig) -> Cli:
    return cli_for(moto, **WITHOUT)


def refused(rig: Rig) -> list[str]:
    return [str(exchange) for exchange in rig.proxy.mutations() if not exchange.succeeded()]


def test_life_from_nothing_to_nothing(cli: Cli, moto: Rig) -> None:
    assert account.inventory(moto.client) == {}
    cli.up().expect(0)
    _, private = expected.check_network(moto)
    expected.check_roles(moto, ("cluster", "node"))
    expected.check_cluster(moto, private)
    expected.check_create_cluster_call(moto.proxy.exchanges())
    expected.check_node_groups(moto, private)
    expected.check_launch_templates(moto, moto.proxy.exchanges())
    expected.check_tags(moto)
    assert refused(moto) == []

    moto.proxy.reset()
    cli.up().expect(0)
    assert [str(exchange) for exchange in moto.proxy.mutations()] == []

    cli.configure("[workers.default]\nmax = 12\n")
    cli.up().expect(0)
    assert [exchange.key for exchange in moto.proxy.mutations()] == ["eks:UpdateNodegroupConfig"]
    worker = moto.client("eks").describe_nodegroup(clusterName=CLUSTER, nodegroupName="worker")["nodegroup"]
    assert worker["scalingConfig"]["maxSize"] == 12

    moto.proxy.reset()
    cli.down().expect(0)
    assert account.inventory(moto.client) == {}
    # The order was right at the first try: nothing was refused with DependencyViolation, DeleteConflict or ResourceInUse.
    assert refused(moto) == []


def test_without_local_state_the_life_goes_on(cli_for: Any, moto: Rig) -> None:
    cli_for(moto, "first", **WITHOUT).up().expect(0)
    moto.proxy.reset()
    second = cli_for(moto, "second", **WITHOUT)
    second.up().expect(0)
    assert [str(exchange) for exchange in moto.proxy.mutations()] == []
    second.down().expect(0)
    assert account.inventory(moto.client) == {}
