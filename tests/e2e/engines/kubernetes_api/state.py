"""What a fake API server is like at the moment: who may do what, what goes wrong next, what was asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.e2e.engines.kubernetes_api.statuses import Refused, forbidden, internal, too_many, unauthorized

ALL = frozenset({"get", "list", "watch", "create", "update", "delete", "patch"})
TOKEN = "a-service-accounts-token"


@dataclass
class Fault:
    """What happens to the next requests of some verbs."""

    verbs: frozenset[str]
    left: int
    refusal: Callable[[], Refused] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    passes: int = 0
    """So many requests before them go well."""
    loses_answer: bool = False
    """The request is done, and its answer never comes: the connection breaks."""


class State:
    """Read by the server's thread, set by the test's."""

    def __init__(self, *, granted: frozenset[str] = ALL) -> None:
        self.requests: Counter[str] = Counter()
        """By verb."""
        self.warnings: list[str] = []
        """Fields that were sent and dropped."""
        self.latency = 0.0
        self.namespaces = {"bots", "default"}
        self.tokens = {TOKEN: "system:serviceaccount:bots:onepoller"}
        self.granted = granted
        """The verbs that RBAC allows."""
        self.thawed = asyncio.Event()
        self.thawed.set()
        self._faults: list[Fault] = []

    def fail(self, *verbs: str, times: int = 1, with_: Callable[[], Refused], **headers: str) -> None:
        """Refuse the next requests of these verbs."""
        self._faults.append(Fault(frozenset(verbs), times, refusal=with_, headers=headers))

    def lose_answers(self, *verbs: str, times: int = 1) -> None:
        """Do what is asked, and break the connection instead of an answer."""
        self._faults.append(Fault(frozenset(verbs), times, loses_answer=True))

    def be_busy(self, *verbs: str, times: int = 1, retry_after: str = "0") -> None:
        """429, with how long to wait, in seconds."""
        self.fail(*verbs, times=times, with_=too_many, **{"Retry-After": retry_after})

    def be_broken(self, *verbs: str, times: int = 1, after: int = 0) -> None:
        """500, `after` so many requests of these verbs that go well."""
        self._faults.append(Fault(frozenset(verbs), times, refusal=internal, passes=after))

    def admit(self, token: str, verb: str, namespace: str) -> None:
        """Raise Refused where this is not allowed."""
        user = self.tokens.get(token)
        if user is None:
            raise unauthorized()
        if verb not in self.granted:
            raise forbidden(user, verb, namespace)

    def next_fault(self, verb: str) -> Fault | None:
        """What is to go wrong with this request."""
        for fault in self._faults:
            if verb in fault.verbs and fault.passes > 0:
                fault.passes -= 1
            elif verb in fault.verbs and fault.left > 0:
                fault.left -= 1
                return fault
        return None
