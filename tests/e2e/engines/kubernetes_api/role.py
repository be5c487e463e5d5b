"""What the Role that we ship grants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[4] / "deploy" / "kubernetes"


def documents(name: str) -> list[dict[str, Any]]:
    """The documents of one of our manifests."""
    return list(yaml.safe_load_all((DEPLOY / name).read_text(encoding="utf-8")))


def granted_verbs() -> frozenset[str]:
    """The verbs on Leases, and nothing else may be granted."""
    (role,) = [document for document in documents("rbac.yaml") if document["kind"] == "Role"]
    (rule,) = role["rules"]
    assert (rule["apiGroups"], rule["resources"]) == (["coordination.k8s.io"], ["leases"])
    return frozenset(rule["verbs"])
