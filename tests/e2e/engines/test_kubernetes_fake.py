"""The fake API server is strict: each of its rules is one that would show a mistake of the store's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.engines.kubernetes_api.server import FakeKubernetes
from tests.e2e.engines.kubernetes_api.state import TOKEN

pytestmark = pytest.mark.slow
Change = Callable[[dict[str, Any]], None]


def lease(name: str = "one", **spec: Any) -> dict[str, Any]:
    """A Lease that is right."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "labels": {"app": "bot"}},
        "spec": {"holderIdentity": "me", "leaseDurationSeconds": 10} | spec,
    }


class Requests:
    """What curl would do."""

    def __init__(self, api: FakeKubernetes) -> None:
        self._http = httpx.Client(
            base_url=f"{api.url}/apis/coordination.k8s.io/v1/namespaces/bots/",
            headers={"Authorization": f"Bearer {TOKEN}"},
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def __call__(self, method: str, path: str, body: Any = None, **query: str) -> tuple[int, dict[str, Any]]:
        """Status and body of an answer."""
        answer = self._http.request(method, path, params=query, json=body)
        return answer.status_code, answer.json()

    def watch(self, count: int, **query: str) -> list[tuple[str, str]]:
        """Kind and name of the first events of a watch; "" where a Lease has none."""
        query |= {"watch": "true", "timeoutSeconds": "5"}
        with self._http.stream("GET", "leases", params=query) as answer:
            lines = answer.iter_lines()
            events = [json.loads(next(lines)) for _ in range(count)]
        return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]


@pytest.fixture
def ask(own_kubernetes_api: FakeKubernetes) -> Iterator[Requests]:
    """Give a way to ask."""
    requests = Requests(own_kubernetes_api)
    yield requests
    requests.close()


def test_the_server_gives_uid_time_and_version(ask: Requests) -> None:
    """Versions grow with each write, in the whole cluster."""
    _, one = ask("POST", "leases", lease("one"))
    _, two = ask("POST", "leases", lease("two"))
    assert int(two["metadata"]["resourceVersion"]) > int(one["metadata"]["resourceVersion"])
    assert one["metadata"]["uid"] != two["metadata"]["uid"]
    assert one["metadata"]["creationTimestamp"].endswith("Z")


def test_a_second_create_is_refused(ask: Requests) -> None:
    """409, AlreadyExists."""
    ask("POST", "leases", lease())
    status, body = ask("POST", "leases", lease())
    assert (status, body["reason"]) == (409, "AlreadyExists")


def test_an_update_of_another_version_is_refused(ask: Requests) -> None:
    """409, Conflict; the version that stands is taken, and gives a new one."""
    _, made = ask("POST", "leases", lease())
    changed = made | {"spec": {"holderIdentity": "you"}}
    first, written = ask("PUT", "leases/one", changed)
    second, refused = ask("PUT", "leases/one", changed)
    assert (first, second, refused["reason"]) == (200, 409, "Conflict")
    assert written["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]


def test_an_update_that_changes_nothing_writes_nothing(ask: Requests) -> None:
    """The version stays."""
    _, made = ask("POST", "leases", lease())
    assert ask("PUT", "leases/one", made) == (200, made)


def test_an_update_has_to_name_a_version(ask: Requests) -> None:
    """Leases cannot be written blindly."""
    ask("POST", "leases", lease())
    assert ask("PUT", "leases/one", lease())[0] == 422


def test_an_update_of_what_is_gone_makes_it_anew_unless_it_names_the_uid(ask: Requests) -> None:
    """A trap of this resource: a session would rise from the dead."""
    _, made = ask("POST", "leases", lease())
    ask("DELETE", "leases/one")
    with_uid = ask("PUT", "leases/one", made)[0]
    del made["metadata"]["uid"]
    assert (with_uid, ask("PUT", "leases/one", made)[0]) == (409, 201)


def test_a_delete_may_name_a_version(ask: Requests) -> None:
    """And is refused where it is another one."""
    ask("POST", "leases", lease())
    status, _ = ask("DELETE", "leases/one", {"preconditions": {"resourceVersion": "1"}})
    assert (status, ask("DELETE", "leases/one")[0], ask("GET", "leases/one")[0]) == (409, 200, 404)


def test_what_a_lease_owns_goes_with_it(ask: Requests) -> None:
    """As the garbage collector of a cluster does."""
    _, owner = ask("POST", "leases", lease("owner"))
    owned = lease("owned")
    reference = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "name": "owner"}
    owned["metadata"]["ownerReferences"] = [reference | {"uid": owner["metadata"]["uid"]}]
    ask("POST", "leases", owned)
    ask("DELETE", "leases/owner")
    assert ask("GET", "leases/owned")[0] == 404


def metadata(**fields: Any) -> Change:
    """Change the metadata."""
    return lambda one: one["metadata"].update(fields)


def spec(**fields: Any) -> Change:
    """Change the spec."""
    return lambda one: one["spec"].update(fields)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (metadata(name="One"), 422),
        (metadata(name="one_two"), 422),
        (metadata(name=""), 422),
        (metadata(labels={"app": "x" * 64}), 422),
        (metadata(labels={"a b": "x"}), 422),
        (metadata(annotations={"a": "x" * 256 * 1024}), 422),
        (metadata(annotations={"a": 1}), 400),
        (metadata(ownerReferences=[{"name": "x"}]), 422),
        (spec(leaseDurationSeconds=0), 422),
        (spec(leaseDurationSeconds=1.5), 400),
        (spec(leaseTransitions=-1), 422),
        (spec(leaseTransitions=2**31), 400),
        (spec(renewTime="2026-11-29T03:00:00Z"), 400),
        (spec(renewTime="2026-11-29T03:00:00.000001Z"), 201),
        (spec(preferredHolder="you"), 422),
        (lambda one: one.update(kind="Pod"), 400),
    ],
)
def test_what_makes_no_sense_is_refused(ask: Requests, change: Change, status: int) -> None:
    """400 where it cannot be read, 422 where it is invalid."""
    sent = lease()
    change(sent)
    assert ask("POST", "leases", sent)[0] == status


def test_an_unknown_field_is_dropped(ask: Requests, own_kubernetes_api: FakeKubernetes) -> None:
    """Silently for the client, but a test can see it."""
    _, made = ask("POST", "leases", lease(holder="me"))
    assert "holder" not in made["spec"]
    assert own_kubernetes_api.warnings == ["spec.holder"]


def test_lists_come_in_pages_of_one_moment(ask: Requests) -> None:
    """What was made between two pages is not in the second; after a compaction there is none."""
    for name in ("a", "b", "c"):
        ask("POST", "leases", lease(name))
    _, first = ask("GET", "leases", limit="2")
    ask("POST", "leases", lease("d"))
    _, second = ask("GET", "leases", limit="2", **{"continue": first["metadata"]["continue"]})
    assert [one["metadata"]["name"] for one in first["items"] + second["items"]] == ["a", "b", "c"]
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]
    assert ask("GET", "leases", **{"continue": first["metadata"]["continue"]})[0] == 410


def test_selectors_know_equal_and_not_equal(ask: Requests) -> None:
    """What they do not know they refuse."""
    ask("POST", "leases", lease("a"))
    other = lease("b")
    other["metadata"]["labels"] = {"app": "web"}
    ask("POST", "leases", other)

    def found(selector: str) -> list[str]:
        _, body = ask("GET", "leases", labelSelector=selector)
        return [one["metadata"]["name"] for one in body["items"]]

    assert (found("app=bot"), found("app!=bot"), found("app=bot,team!=x")) == (["a"], ["b"], ["a"])
    assert ask("GET", "leases", labelSelector="app in (bot)")[0] == 400


def test_a_watch_tells_what_happened_after_a_version(ask: Requests) -> None:
    """As seen through its selector: what no longer fits was deleted."""
    _, listed = ask("GET", "leases")
    _, made = ask("POST", "leases", lease("a"))
    _, changed = ask("PUT", "leases/a", made | {"spec": {"holderIdentity": "you"}})
    changed["metadata"]["labels"] = {"app": "web"}
    ask("PUT", "leases/a", changed)
    events = ask.watch(3, labelSelector="app=bot", resourceVersion=listed["metadata"]["resourceVersion"])
    assert events == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_a_watch_sends_bookmarks_where_they_are_wanted(ask: Requests) -> None:
    """With nothing but a version."""
    _, listed = ask("GET", "leases")
    version = listed["metadata"]["resourceVersion"]
    assert ask.watch(1, allowWatchBookmarks="true", resourceVersion=version) == [("BOOKMARK", "")]


def test_a_watch_from_before_the_history_is_told_so(
    ask: Requests, own_kubernetes_api: FakeKubernetes
) -> None:
    """An ERROR event, with 410 in it."""
    _, listed = ask("GET", "leases")
    own_kubernetes_api.forget_history()
    assert ask.watch(1, resourceVersion=listed["metadata"]["resourceVersion"]) == [("ERROR", "")]


def test_who_is_not_known_or_may_not_is_refused(ask: Requests, own_kubernetes_api: FakeKubernetes) -> None:
    """401 and 403, with what was asked for."""
    own_kubernetes_api.granted = frozenset({"get"})
    status, body = ask("GET", "leases")
    assert (status, body["reason"], "cannot list resource" in body["message"]) == (403, "Forbidden", True)
    own_kubernetes_api.tokens = {}
    assert ask("GET", "leases")[0] == 401
