"""The two documents in a real OpenBao, under exactly the policy of config/vault-policy.hcl."""

import itertools
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from openbao_server import (
    DROP,
    Bao,
    FirstMatches,
    ProxiedExchange,
    TamperingProxy,
    VaultAccess,
    running_bao,
    with_answer,
)
from polling import eventually

from rotator.core.consumer_document import ConsumerDocument
from rotator.core.model import Claim, Credential, Ending, LedgerEntry, TargetState
from rotator.core.origin import Origin
from rotator.core.secret import Secret
from rotator.ports import Conflict, StoreCorrupt, StoreDenied, StoreError, StoreUnavailable
from rotator.vault.admin import VaultAdmin
from rotator.vault.answers import VaultRequest
from rotator.vault.auth import Token
from rotator.vault.policy import rotator_policy
from rotator.vault.process import EmbeddedError
from rotator.vault.transport import Connection

AT = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
POLICY = Path(__file__).parents[3] / "config" / "vault-policy.hcl"
AUDIT = "rotator/state/_audit"
NAMES = (f"target-{number}" for number in itertools.count())


@pytest.fixture
def session(bao: Bao, policy: str) -> VaultAccess:
    return bao.client(bao.app_role(policy))


@pytest.fixture
def name(bao: Bao) -> Iterator[str]:
    """A target's name. What a test leaves is deleted: an unreadable document would fail `rotator status` elsewhere."""
    name = next(NAMES)
    yield name
    for left in (name, f"{name}-copy"):
        bao.call("DELETE", f"secret/metadata/rotator/state/{left}")


def credential(password: str = "first-password", **more: object) -> Credential:
    return replace(
        Credential("acc", "user", "id-1", Secret(password), "example.org", "a1", host="sip.example.org"), **more
    )


def is_write(part: str) -> Callable[[ProxiedExchange], bool]:
    return lambda seen: seen.verb == "POST" and part in seen.path


def is_read(part: str) -> Callable[[ProxiedExchange], bool]:
    return lambda seen: seen.verb == "GET" and part in seen.path


class TestDocuments:
    def test_a_document_with_more_keys_than_vault_takes_is_named(self, session: VaultAccess, name: str) -> None:
        crowded = ConsumerDocument(0, exists=True, kept={f"key{number}": "of people" for number in range(600)})
        with pytest.raises(StoreError, match=f"sip/{name}: the document has more keys and texts than Vault takes"):
            session.store.write_consumer(f"sip/{name}", credential(), datetime(2026, 1, 5, tzinfo=UTC), crowded)

    def test_a_ledger_of_hundreds_of_entries_is_not_too_much_for_one_request(
        self, session: VaultAccess, name: str
    ) -> None:
        """A target that rotates hourly keeps a week of them. OpenBao refuses a request with a thousand strings."""
        at = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
        entry = LedgerEntry(credential(), Ending.DELETE, at, at, timedelta(days=7), note="n", origin=Origin("a", "b"))
        full = TargetState(name, published=credential(), ledger=(entry,) * 300)
        session.store.write_state(full, 0)
        assert session.store.read_state(name).state == full

    def test_a_state_that_is_not_there_reads_as_fresh_and_then_as_written(
        self, session: VaultAccess, name: str
    ) -> None:
        found = session.store.read_state(name)
        assert (found.state, found.version) == (TargetState(name), 0)
        written = replace(found.state, published=credential(), failures=2)
        assert session.store.write_state(written, 0) == 1
        again = session.store.read_state(name)
        assert (again.state, again.version) == (written, 1)
        assert name in session.store.list_states()

    def test_a_state_keeps_two_versions_only(self, bao: Bao, session: VaultAccess, name: str) -> None:
        for version in range(4):
            session.store.write_state(TargetState(name, failures=version), version)
        assert set(bao.call("GET", f"secret/metadata/rotator/state/{name}")["data"]["versions"]) == {"3", "4"}

    def test_a_crash_before_the_first_version_leaves_a_state_that_can_be_written(
        self, bao: Bao, session: VaultAccess, name: str
    ) -> None:
        bao.call("POST", f"secret/metadata/rotator/state/{name}", {"max_versions": 2})
        assert session.store.read_state(name).version == 0
        assert session.store.write_state(TargetState(name), 0) == 1

    def test_a_write_over_an_old_version_is_a_conflict(
        self, bao: Bao, session: VaultAccess, name: str, policy: str
    ) -> None:
        other = bao.client(bao.app_role(policy))
        session.store.write_state(TargetState(name), 0)
        other.store.write_state(TargetState(name, claim=Claim("other", AT)), 1)
        with pytest.raises(Conflict, match=f"rotator/state/{name}: somebody else wrote first"):
            session.store.write_state(TargetState(name, claim=Claim("we", AT)), 1)
        assert session.store.read_state(name).state.claim == Claim("other", AT)

    def test_of_many_threads_that_write_over_one_version_exactly_one_wins(
        self, bao: Bao, name: str, policy: str
    ) -> None:
        store = bao.client(bao.app_role(policy)).store
        store.write_state(TargetState(name), 0)
        results: list[str] = []

        def write() -> None:
            # The same content from every thread: only the name of the write tells them apart.
            try:
                results.append(f"version {store.write_state(TargetState(name, failures=1), 1)}")
            except Conflict:
                results.append("conflict")

        threads = [threading.Thread(target=write) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == ["conflict"] * 7 + ["version 2"]

    def test_a_consumer_document_is_made_and_replaced_and_keeps_what_people_added(
        self, bao: Bao, session: VaultAccess, name: str
    ) -> None:
        path = f"sip/{name}"
        absent = session.store.read_consumer(path)
        assert absent == ConsumerDocument(version=0, exists=False)
        assert session.store.write_consumer(path, credential(), AT, absent) == 1
        data = bao.call("GET", f"secret/data/{path}")["data"]["data"]
        bao.call("POST", f"secret/data/{path}", {"data": {**data, "door": "front"}})
        found = session.store.read_consumer(path)
        assert found.names(credential())
        now = session.store.now()
        assert found.written_at is not None
        assert now is not None
        assert abs(now - found.written_at) < timedelta(minutes=1)
        assert session.store.write_consumer(path, credential("second-password"), AT, found) == 3
        assert bao.call("GET", f"secret/data/{path}")["data"]["data"] == {
            "door": "front",
            "username": "user",
            "password": "second-password",
            "host": "sip.example.org",
            "realm": "example.org",
            "credential_id": "id-1",
            "attempt_id": "a1",
            "rotated_at": AT.isoformat(),
        }

    def test_a_consumer_document_that_changed_since_it_was_read_is_a_conflict(
        self, bao: Bao, session: VaultAccess, name: str
    ) -> None:
        path = f"sip/{name}"
        over = session.store.read_consumer(path)
        bao.call("POST", f"secret/data/{path}", {"data": {"username": "by hand"}})
        with pytest.raises(Conflict):
            session.store.write_consumer(path, credential(), AT, over)
        assert session.store.read_consumer(path).username == "by hand"

    def test_a_consumer_document_of_somebody_else_is_confirmed_as_it_is_or_a_conflict(
        self, bao: Bao, session: VaultAccess, name: str
    ) -> None:
        path, theirs = f"sip/{name}", {"username": "by hand", "password": 1234, "rotated_at": "last week"}
        bao.call("POST", f"secret/data/{path}", {"data": theirs})
        found = session.store.read_consumer(path)
        assert session.store.confirm_consumer(path, found) == 2
        assert bao.call("GET", f"secret/data/{path}")["data"]["data"] == theirs
        with pytest.raises(Conflict):
            session.store.confirm_consumer(path, found)
        bao.call("POST", f"secret/delete/{path}", {"versions": [2]})
        with pytest.raises(Conflict):
            session.store.confirm_consumer(path, replace(found, version=2))

    @pytest.mark.parametrize("verb", ["delete", "destroy"])
    def test_a_removed_consumer_document_still_has_a_version(
        self, bao: Bao, session: VaultAccess, name: str, verb: str
    ) -> None:
        path = f"sip/{name}"
        session.store.write_consumer(path, credential(), AT, session.store.read_consumer(path))
        bao.call("POST", f"secret/{verb}/{path}", {"versions": [1]})
        removed = session.store.read_consumer(path)
        remedy = f"vault kv undelete -mount=secret -versions=1 {path}" if verb == "delete" else ""
        assert removed == ConsumerDocument(version=1, exists=False, deleted=True, remedy=remedy)
        assert session.store.write_consumer(path, credential(), AT, removed) == 2

    def test_a_state_that_cannot_be_read_names_path_and_field(self, bao: Bao, session: VaultAccess, name: str) -> None:
        bao.call("POST", f"secret/data/rotator/state/{name}", {"data": {"schema": 1, "target": 5}})
        with pytest.raises(StoreCorrupt, match=f"secret/rotator/state/{name}: field target: expected str"):
            session.store.read_state(name)

    def test_a_state_that_was_copied_to_another_name_is_not_taken(
        self, bao: Bao, session: VaultAccess, name: str
    ) -> None:
        session.store.write_state(TargetState(name), 0)
        data = bao.call("GET", f"secret/data/rotator/state/{name}")["data"]["data"]
        bao.call("POST", f"secret/data/rotator/state/{name}-copy", {"data": data})
        with pytest.raises(StoreCorrupt, match="was the document copied"):
            session.store.read_state(f"{name}-copy")

    @pytest.mark.parametrize("bad", ["", "..", "a/b", "."])
    def test_a_target_name_that_leads_elsewhere_is_refused(self, session: VaultAccess, bad: str) -> None:
        with pytest.raises(StoreError, match="use letters, digits"):
            session.store.read_state(bad)

    @pytest.mark.parametrize("odd", ["with space", "per%cent", "frage?x=1", "käse", "a#b"])
    def test_a_name_that_urls_must_quote_comes_back_as_it_was(self, session: VaultAccess, odd: str) -> None:
        session.store.write_state(TargetState(odd), session.store.read_state(odd).version)
        assert session.store.read_state(odd).state.target == odd
        assert odd in session.store.list_states()


class TestLostAnswers:
    @pytest.mark.parametrize("times", [1, 3])
    def test_a_write_whose_answer_was_lost_happened_once(self, bao: Bao, policy: str, name: str, times: int) -> None:
        with TamperingProxy(bao.address) as proxy:
            session = bao.client(bao.app_role(policy), proxy.address)
            lost = FirstMatches(is_write(f"/data/rotator/state/{name}"), times)
            proxy.tamper = lambda seen: DROP if lost(seen) else seen
            assert session.store.write_state(TargetState(name, failures=3), 0) == 1
            assert proxy.count("POST", f"/data/rotator/state/{name}") == times + 1
        assert bao.client().store.read_state(name).version == 1

    def test_a_lost_answer_followed_by_another_writer_is_a_conflict(self, bao: Bao, policy: str, name: str) -> None:
        other = bao.client(bao.app_role(policy))
        with TamperingProxy(bao.address) as proxy:
            session = bao.client(bao.app_role(policy), proxy.address)
            lost = FirstMatches(is_write(f"/data/rotator/state/{name}"))

            def tamper(seen: ProxiedExchange) -> ProxiedExchange | str:
                if not lost(seen):
                    return seen
                other.store.write_state(TargetState(name, failures=9), 1)
                return DROP

            proxy.tamper = tamper
            with pytest.raises(Conflict):
                session.store.write_state(TargetState(name, failures=3), 0)

    def test_a_lost_answer_to_a_publication_happened_once(self, bao: Bao, policy: str, name: str) -> None:
        path = f"sip/{name}"
        with TamperingProxy(bao.address) as proxy:
            session = bao.client(bao.app_role(policy), proxy.address)
            lost = FirstMatches(is_write(path))
            proxy.tamper = lambda seen: DROP if lost(seen) else seen
            over = session.store.read_consumer(path)
            assert session.store.write_consumer(path, credential(), AT, over) == 1
            assert session.store.read_consumer(path).names(credential())

    @pytest.mark.parametrize(
        "answer",
        [
            DROP,
            b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
            b"nonsense\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\n<html>",
            b"HTTP/1.1 307 Temporary\r\nLocation: http://127.0.0.1:1/v1/x\r\nContent-Length: 0\r\n\r\n",
            b'HTTP/1.1 429 Slow\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"errors":[]}',
            b'HTTP/1.1 500 No\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"errors":[]}',
            b"HTTP/1.1 502 Bad\r\nContent-Length: 6\r\n\r\n<html>",
            b"HTTP/1.1 504 Late\r\nContent-Length: 6\r\n\r\n<html>",
        ],
    )
    def test_a_bad_answer_is_retried_and_in_the_end_unavailable(self, bao: Bao, policy: str, answer: str) -> None:
        with TamperingProxy(bao.address) as proxy:
            session = bao.client(bao.app_role(policy), proxy.address)
            once = FirstMatches(is_read("state/x"))
            proxy.tamper = lambda seen: answer if once(seen) else seen
            assert session.store.read_state("x").version == 0
            proxy.tamper = lambda seen: answer if is_read("state/x")(seen) else seen
            before = session.clock.monotonic()
            with pytest.raises(StoreUnavailable):
                session.store.read_state("x")
            assert 2 <= session.meter.count("read_state", "unavailable") <= 7
            assert session.clock.monotonic() - before < session.client.longest_call.total_seconds()

    def test_an_answer_that_drips_ends_at_the_time_limit(self, bao: Bao, policy: str) -> None:
        dripping, ended = threading.Event(), threading.Event()
        with TamperingProxy(bao.address) as proxy:
            session = bao.client(bao.app_role(policy), proxy.address, timeout=0.3)
            session.store.check()

            def drip(seen: ProxiedExchange) -> bytes:
                dripping.set()
                return b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10

            def slowly(request: object, reply: object) -> None:
                wfile = request.wfile  # type: ignore[attr-defined]
                wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
                while not ended.wait(0.05):
                    try:
                        wfile.write(b"y")
                    except OSError:
                        return

            proxy.tamper, proxy._reply = drip, slowly  # type: ignore[method-assign]
            with pytest.raises(StoreUnavailable, match=r"no answer within 0\.3 s|the connection broke"):
                session.store.read_state("x")
            assert dripping.is_set()
            ended.set()

    def test_an_answer_without_end_is_cut_off(self, bao: Bao, policy: str) -> None:
        huge = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b" " * (17 * 1024 * 1024)
        with TamperingProxy(bao.address) as proxy:
            session = bao.client(bao.app_role(policy), proxy.address)
            session.store.check()

            def reply(seen: ProxiedExchange) -> bytes:
                session.clock.ahead += 6  # one try is enough here
                return huge

            proxy.tamper = reply
            with pytest.raises(StoreUnavailable, match="is not from Vault"):
                session.store.read_state("x")


class TestStandbys:
    def test_a_read_older_than_our_own_write_is_not_believed(self, bao: Bao, policy: str, name: str) -> None:
        with TamperingProxy(bao.address) as proxy:
            session = bao.client(bao.app_role(policy), proxy.address)
            session.store.write_state(TargetState(name, failures=1), 0)
            stale: list[ProxiedExchange] = []
            proxy.tamper = lambda seen: stale.append(seen) or seen
            session.store.read_state(name)
            session.store.write_state(TargetState(name, failures=2), 1)
            lagging = FirstMatches(is_read(f"state/{name}"), 2)
            proxy.tamper = lambda seen: stale[0] if lagging(seen) else seen
            assert session.store.read_state(name).state.failures == 2
            proxy.tamper = lambda seen: stale[0]
            with pytest.raises(StoreUnavailable, match="stale standby"):
                session.store.read_state(name)

    def test_a_false_conflict_of_a_standby_heals_by_itself(self, bao: Bao, policy: str, name: str) -> None:
        refused = {"errors": ["check-and-set parameter did not match the current version"]}
        with TamperingProxy(bao.address) as proxy:
            session = bao.client(bao.app_role(policy), proxy.address)
            session.store.write_state(TargetState(name), 0)
            bodies: list[ProxiedExchange] = []
            proxy.tamper = lambda seen: bodies.append(seen) or seen
            session.store.read_state(name)
            state = f"state/{name}"
            path = f"secret/data/rotator/state/{name}"

            # The standby refuses without carrying it out: put the document back behind the client's back.
            def standby(seen: ProxiedExchange) -> ProxiedExchange:
                if not once(seen):
                    return seen
                bao.call("DELETE", f"secret/metadata/rotator/state/{name}")
                bao.call("POST", path, {"data": {"placeholder": True}})
                return with_answer(seen, 400, refused)

            once = FirstMatches(is_write(f"/data/rotator/{state}"))
            proxy.tamper = standby
            assert session.store.write_state(TargetState(name, failures=5), 1) == 2
            proxy.tamper = lambda seen: seen
            assert session.store.read_state(name).state.failures == 5
            assert session.meter.count("write_state", "conflict") == 1

    def test_what_another_process_wrote_is_a_conflict_at_once_and_its_version_is_known(
        self, bao: Bao, policy: str, name: str
    ) -> None:
        with TamperingProxy(bao.address) as proxy:
            session, other = bao.client(bao.app_role(policy), proxy.address), bao.client(bao.app_role(policy))
            session.store.write_state(TargetState(name, failures=1), 0)
            stale: list[ProxiedExchange] = []
            proxy.tamper = lambda seen: stale.append(seen) or seen
            session.store.read_state(name)
            proxy.tamper = lambda seen: seen
            other.store.write_state(TargetState(name, failures=2), 1)
            before = session.clock.ahead
            with pytest.raises(Conflict):
                session.store.write_state(TargetState(name, failures=3), 1)
            assert session.clock.ahead == before, "waited for a standby, although the answer says that none lags"
            lagging = FirstMatches(is_read(f"state/{name}"))
            proxy.tamper = lambda seen: stale[0] if lagging(seen) else seen
            assert session.store.read_state(name).state.failures == 2

    def test_a_standby_that_lags_behind_a_conflict_is_asked_again(self, bao: Bao, policy: str, name: str) -> None:
        with TamperingProxy(bao.address) as proxy:
            session, other = bao.client(bao.app_role(policy), proxy.address), bao.client(bao.app_role(policy))
            session.store.write_state(TargetState(name, failures=1), 0)
            stale: list[ProxiedExchange] = []
            proxy.tamper = lambda seen: stale.append(seen) or seen
            session.store.read_state(name)
            other.store.write_state(TargetState(name, failures=2), 1)
            lagging, before = FirstMatches(is_read(f"state/{name}")), session.clock.ahead
            proxy.tamper = lambda seen: stale[0] if lagging(seen) else seen
            with pytest.raises(Conflict):
                session.store.write_state(TargetState(name, failures=3), 1)
            assert 0.1 < session.clock.ahead - before < 0.2


class TestStart:
    def test_a_kv_v2_mount_is_accepted_under_the_least_policy(self, session: VaultAccess) -> None:
        session.store.check()

    def test_a_kv_v1_mount_is_refused_with_the_reason(self, bao: Bao) -> None:
        bao.call("POST", "sys/mounts/old", {"type": "kv", "options": {"version": "1"}}, also=400)
        with pytest.raises(
            StoreError,
            match=r"old/ is KV version 1, but rotator needs the check-and-set of KV version 2.*enable-versioning old/",
        ):
            bao.client(mount="old").store.check()

    def test_another_secrets_engine_is_refused(self, bao: Bao) -> None:
        with pytest.raises(StoreError, match="a secrets engine of type cubbyhole"):
            bao.client(mount="cubbyhole").store.check()

    def test_a_mount_that_is_not_there_is_named(self, bao: Bao, policy: str) -> None:
        with pytest.raises(StoreDenied, match="the mount nowhere/ does not exist, or the Vault token has no right"):
            bao.client(bao.app_role(policy), mount="nowhere").store.check()
        with pytest.raises(StoreError, match="no such mount"):
            bao.client(mount="nowhere").store.read_state("x")

    def test_a_token_without_rights_is_told_what_to_add(self, bao: Bao) -> None:
        session = bao.client(Token(bao.token(["default"])))
        expected = r'lacks the capability read on secret/data/rotator/state/x; add to its policy: path "secret/data'
        with pytest.raises(StoreDenied, match=expected):
            session.store.read_state("x")
        with pytest.raises(StoreDenied, match=r"create or update on secret/data/sip/x"):
            session.store._kv.write("write_consumer", "sip/x", {"a": 1}, 0)
        with pytest.raises(StoreDenied, match=r"list on secret/metadata/rotator/state/\*"):
            session.store.list_states()
        with pytest.raises(StoreDenied, match="no right on anything in it"):
            session.store.check()
        assert session.meter.count("read_state", "denied") == 1, "a good token is not exchanged"

    def test_whether_a_place_can_be_published_to_is_known_before(self, session: VaultAccess, name: str) -> None:
        session.store.check_publishable(f"sip/{name}")
        with pytest.raises(StoreDenied, match=r'may not write secret/data/elsewhere/x: add  path "secret/data/elsewh'):
            session.store.check_publishable("elsewhere/x")

    def test_one_request_tells_for_many_places_and_holds_for_some_minutes(
        self, session: VaultAccess, name: str
    ) -> None:
        places = [f"sip/{name}-{number}" for number in range(450)]
        session.store.expect_publishing(["elsewhere/x", *places])
        for _ in range(2):
            for place in places:
                session.store.check_publishable(place)
            session.store.check_publishable(f"sip/{name}")  # not among them
        assert session.meter.count("check_publishable", "ok") == 3 + 1
        for _ in range(2):
            with pytest.raises(StoreDenied, match="may not write secret/data/elsewhere/x"):
                session.store.check_publishable("elsewhere/x")
        assert session.meter.count("check_publishable", "ok") == 4 + 2, "what is missing may be granted any moment"

    def test_a_key_of_a_document_that_somebody_else_keeps_is_read(
        self, bao: Bao, session: VaultAccess, name: str
    ) -> None:
        bao.call("POST", f"secret/data/sip/{name}", {"data": {"token": "kept-by-others", "empty": "", "number": 5}})
        assert session.store.read_key(f"sip/{name}", "token") == Secret("kept-by-others")
        for key in ("missing", "empty", "number"):
            with pytest.raises(StoreError, match=f"has no text under the key '{key}': store the secret there"):
                session.store.read_key(f"sip/{name}", key)

    def test_a_namespace_is_used_and_a_missing_one_is_named(self, bao: Bao) -> None:
        bao.call("POST", "sys/namespaces/team", {})
        with pytest.raises(StoreError, match="no such mount, authentication method or namespace"):
            bao.client(namespace="team").store.read_state("x")
        with pytest.raises(StoreError, match="namespace"):
            bao.client(namespace="nobody").store.read_state("x")
        bao.call("POST", "team/sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        inside = bao.client(namespace="team")
        inside.store.check()
        inside.store.write_state(TargetState("in-team"), 0)
        assert inside.store.list_states() == ("in-team",)
        assert "in-team" not in bao.client().store.list_states()

    def test_nothing_listening_is_unavailable_within_seconds(self, bao: Bao) -> None:
        session = bao.client(address="http://127.0.0.1:1")
        with pytest.raises(StoreUnavailable, match="nothing listens at"):
            session.store.check()

    def test_a_server_that_is_sealed_while_a_client_runs_is_waited_for_and_then_used_again(self, name: str) -> None:
        with running_bao() as bao:
            bao.policy("least", POLICY.read_text())
            session = bao.client(bao.app_role("least"))
            session.store.write_state(TargetState(name), 0)
            bao.seal()
            with pytest.raises(StoreUnavailable, match="sealed"):
                session.store.read_state(name)
            with pytest.raises(StoreUnavailable, match="sealed"):
                session.store.write_state(TargetState(name, failures=1), 1)
            bao.unseal()
            assert eventually(lambda: reads(session, name), "the store works again") == 1


def reads(session: VaultAccess, name: str) -> int | None:
    try:
        return session.store.read_state(name).version
    except StoreUnavailable:
        return None


# The policy: each capability in it is needed, and no more than these.

RULE = re.compile(r'path "([^"]+)" \{\s+capabilities = \[([^\]]+)\]')


def rules() -> dict[str, list[str]]:
    return {path: re.findall(r'"(\w+)"', names) for path, names in RULE.findall(POLICY.read_text())}


def use_all_paths(bao: Bao, policy: str, target: str) -> VaultAccess:
    """Everything that `rotator` does in Vault, under a token that lives for a minute."""
    session = bao.client(Token(bao.token([policy], ttl="60s", no_default_policy=True)))
    steps = [
        session.store.check,
        lambda: session.store._kv.limit_versions("limit_versions", f"rotator/state/{target}", 2),
        lambda: session.store.write_state(TargetState(target), 0),
        lambda: session.store.write_state(TargetState(target, failures=1), 1),
        lambda: session.store.read_state(target),
        session.store.list_states,
        lambda: session.store._kv.capabilities("check_publishable", [f"secret/data/sip/{target}"]),
        lambda: session.store._kv.write("write_consumer", f"sip/{target}", {"a": "1"}, 0),
        lambda: session.store._kv.write("write_consumer", f"sip/{target}", {"a": "2"}, 1),
        lambda: session.store.read_consumer(f"sip/{target}"),
        session.audit.key,
        *[lambda: session.store._kv.limit_versions("limit_versions", f"{AUDIT}/2000-01-01/{target}", 1)] * 2,
        lambda: session.audit.remove("2000-01-01"),
    ]
    for step in steps:
        try:
            step()
        except StoreError:  # what follows a denied step may fail in another way
            assert any(outcome == "denied" for _, outcome in session.meter.requests)
    session.clock.ahead += 40
    try:
        session.store.read_state(target)
    except StoreDenied:
        assert any(outcome == "denied" for _, outcome in session.meter.requests)
    return session


def test_the_policy_file_is_what_the_embedded_server_uses() -> None:
    assert POLICY.read_text() == rotator_policy("secret", "rotator/state", ["sip/*"])


def test_under_the_policy_nothing_is_denied(bao: Bao, policy: str, name: str) -> None:
    session = use_all_paths(bao, policy, name)
    assert {outcome for _, outcome in session.meter.requests} - {"absent"} == {"ok"}  # the key of the audit is new
    assert session.meter.count("renew", "ok") == 1


@pytest.mark.parametrize(("path", "capability"), [(path, name) for path, names in rules().items() for name in names])
def test_without_any_one_capability_something_is_denied(bao: Bao, name: str, path: str, capability: str) -> None:
    left = {**rules(), path: [kept for kept in rules()[path] if kept != capability]}
    text = "\n".join(f'path "{path}" {{ capabilities = {names} }}'.replace("'", '"') for path, names in left.items())
    session = use_all_paths(bao, bao.policy("mutant", text), name)
    assert "denied" in {outcome for _, outcome in session.meter.requests}


@pytest.mark.parametrize("missing", ["create", "update"])
def test_a_document_that_could_not_be_published_is_noticed_beforehand(bao: Bao, name: str, missing: str) -> None:
    left = {**rules(), "secret/data/sip/*": [kept for kept in rules()["secret/data/sip/*"] if kept != missing]}
    text = "\n".join(f'path "{path}" {{ capabilities = {names} }}'.replace("'", '"') for path, names in left.items())
    session = bao.client(bao.app_role(bao.policy("unpublishable", text)))
    with pytest.raises(StoreDenied, match="may not write secret/data/sip/"):
        session.store.check_publishable(f"sip/{name}")


def test_the_policy_opens_nothing_else(bao: Bao, policy: str) -> None:
    session = bao.client(bao.app_role(policy))
    for path in ("secret/data/other/x", "sys/policies/acl/root", "auth/approle/role", "secret/metadata/sip/x"):
        with pytest.raises(StoreDenied):
            session.client.request(VaultRequest("other", "get", path))


def test_requests_are_counted_by_operation_and_outcome(session: VaultAccess, name: str) -> None:
    session.store.write_state(TargetState(name), 0)
    with pytest.raises(Conflict):
        session.store.write_state(TargetState(name), 0)
    assert session.meter.requests == [
        ("login", "ok"),
        ("limit_versions", "ok"),
        ("write_state", "ok"),
        ("limit_versions", "ok"),
        ("write_state", "conflict"),
        ("write_state", "ok"),
    ]
    assert session.client.longest_call < timedelta(minutes=3)


def test_the_token_may_limit_the_versions_of_a_state_document_and_nothing_else(bao: Bao, policy: str) -> None:
    """Finding 11: it could have ended a state document by its own means."""
    token = bao.token([policy])
    admin = VaultAdmin(Connection(bao.address), bao.client().clock, token)
    where = "secret/metadata/rotator/state/narrow"
    admin.call("POST", where, {"max_versions": 2})
    refused = ({"delete_version_after": "1s"}, {"max_versions": 2, "delete_version_after": "1s"})
    for body in (*refused, {"cas_required": False}, {"custom_metadata": {"a": "b"}}):
        with pytest.raises(EmbeddedError, match="answered 403"):
            admin.call("POST", where, body)
    session = bao.client(Token(token))
    session.store.write_state(TargetState("narrow"), 0)
    assert "narrow" in session.store.list_states()
    admin.close()
