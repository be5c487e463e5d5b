"""The store in Kubernetes: `kubernetes://NAMESPACE`, standard Leases that `kubectl get lease` shows.

Belongs here: the few calls of the API that it needs, who we are there, and how sessions, wishes and claims
lie in Leases. Does not belong here: policy. What is written where is said in `names`; why taking over a claim
is safe although only one object changes at a time, in `endings`.
"""

from __future__ import annotations

import os
import re

from onepoller.coordination.errors import SettingsError
from onepoller.coordination.stores.engine import Address
from onepoller.coordination.stores.kubernetes.access import Access, asked_namespace, in_cluster, is_in_cluster
from onepoller.coordination.stores.kubernetes.kubeconfig import files, from_kubeconfig
from onepoller.coordination.stores.kubernetes.store import KubernetesStore
from onepoller.coordination.stores.lease import Lease

__all__ = ["KubernetesStore", "make"]

OPTIONS = ("prefix", "context", "kubeconfig")
_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")


def make(address: Address, *, lease: float) -> KubernetesStore:
    """The store at an address; asks no server. Raises SettingsError or StoreUnfit, one sentence."""
    address.check_options(OPTIONS)
    if not _NAME.fullmatch(address.prefix):
        raise SettingsError(
            "store: in Kubernetes a prefix has no _ and does not end with -, because names of Leases begin"
            f" with it: not {address.prefix!r}."
        )
    return KubernetesStore(
        access_to(address), prefix=address.prefix, lease=Lease.of(lease), shown=address.shown
    )


def access_to(address: Address) -> Access:
    """By the kubeconfig of the URL or of $KUBECONFIG; else as the pod that we are; else by ~/.kube/config."""
    namespace = asked_namespace(address)
    option, context = address.options.get("kubeconfig"), address.options.get("context")
    if option is None and context is None and not os.environ.get("KUBECONFIG") and is_in_cluster():
        return in_cluster(namespace)
    return from_kubeconfig(files(option), context=context, namespace=namespace)
