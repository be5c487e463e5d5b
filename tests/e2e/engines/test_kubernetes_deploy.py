"""The manifests that we ship: what they grant, and what a rollout needs."""

from __future__ import annotations

from typing import Any

import pytest

from onepoller.coordination.settings import Settings
from tests.e2e.engines.kubernetes_api.role import documents, granted_verbs


def deployment() -> dict[str, Any]:
    """The example."""
    (only,) = documents("deployment.yaml")
    return only


def test_the_role_grants_what_the_store_uses() -> None:
    """All tests run with these verbs, and one for each shows that it is needed."""
    assert granted_verbs() == {"get", "list", "watch", "create", "update", "delete"}


def test_the_role_is_bound_to_the_account_of_the_deployment() -> None:
    """All four documents speak of the same account."""
    account, role, binding = documents("rbac.yaml")
    assert [one["kind"] for one in (account, role, binding)] == ["ServiceAccount", "Role", "RoleBinding"]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account["metadata"]["name"]}]
    assert deployment()["spec"]["template"]["spec"]["serviceAccountName"] == account["metadata"]["name"]


def test_a_rollout_starts_the_new_pod_before_it_ends_an_old_one() -> None:
    """Two replicas, and a surge; a pod in standby is ready, so the rollout goes on."""
    spec = deployment()["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_the_probes_ask_where_the_metrics_are() -> None:
    """`/readyz` and `/healthz` answer on the port of ONEPOLLER_METRICS."""
    (container,) = deployment()["spec"]["template"]["spec"]["containers"]
    (port,) = container["ports"]
    environment = {one["name"]: one.get("value") for one in container["env"]}
    probes = [container[name]["httpGet"] for name in ("readinessProbe", "livenessProbe")]
    assert [probe["path"] for probe in probes] == ["/readyz", "/healthz"]
    assert {probe["port"] for probe in probes} == {port["name"]}
    assert environment["ONEPOLLER_METRICS"] == f"0.0.0.0:{port['containerPort']}"
    assert environment["ONEPOLLER_STORE"] == "kubernetes:///"


def test_a_pod_has_time_to_hand_over() -> None:
    """More than a handover may take."""
    grace = deployment()["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace >= 2 * Settings().drain_timeout


def test_the_deployment_selects_its_own_pods() -> None:
    """Its selector, and the constraint that spreads them, name the labels of the template."""
    spec = deployment()["spec"]
    labels = spec["template"]["metadata"]["labels"]
    (spread,) = spec["template"]["spec"]["topologySpreadConstraints"]
    assert spec["selector"]["matchLabels"] == labels == spread["labelSelector"]["matchLabels"]


@pytest.mark.parametrize("name", ["rbac.yaml", "deployment.yaml"])
def test_every_document_has_a_kind_and_a_name(name: str) -> None:
    """And a version, without which kubectl takes none."""
    for document in documents(name):
        assert {"apiVersion", "kind", "metadata"} <= document.keys()
        assert document["metadata"]["name"]
