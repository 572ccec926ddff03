"""Logging in, renewing and logging in again, against a real OpenBao, with a clock that the test moves."""

import base64
import json
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from openbao_server import DROP, Bao, FirstMatches, ProxiedExchange, TamperingProxy, VaultAccess, with_answer

from rotator.core.secret import Secret
from rotator.ports import StoreDenied, StoreError, StoreUnavailable
from rotator.vault.answers import VaultRequest
from rotator.vault.auth import AppRole, Jwt, Kubernetes, Method, Token, TokenFile


def send_request(session: VaultAccess) -> None:
    """One request that needs a good token."""
    session.store.read_state("login-test")


def revoke(bao: Bao, session: VaultAccess) -> None:
    """Revokes the token in force behind the client's back."""
    token = session.client._tokens.current()
    bao.call("POST", "auth/token/revoke", {"token": token.reveal()})


def lifetime(session: VaultAccess) -> float:
    end = session.client.token_expires_at()
    assert end is not None
    return (end - session.clock.now()).total_seconds()


class TestAppRole:
    def test_nothing_is_sent_before_the_first_use_and_the_login_serves_many(self, bao: Bao, policy: str) -> None:
        session = bao.client(bao.app_role(policy, token_ttl="60s"))
        assert session.meter.requests == []
        assert session.client.token_expires_at() is None
        send_request(session)
        send_request(session)
        assert session.meter.count("login", "ok") == 1
        assert 55 < lifetime(session) <= 60

    def test_the_token_is_renewed_at_half_its_lease_and_not_before(self, bao: Bao, policy: str) -> None:
        session = bao.client(bao.app_role(policy, token_ttl="60s"))
        send_request(session)
        session.clock.ahead += 28
        send_request(session)
        assert session.meter.count("renew", "ok") == 0
        session.clock.ahead += 4
        send_request(session)
        assert session.meter.count("renew", "ok") == 1
        assert session.meter.count("login", "ok") == 1
        assert 55 < lifetime(session) <= 60

    def test_near_max_ttl_it_logs_in_anew_although_the_renewal_succeeds(self, bao: Bao, policy: str) -> None:
        # An AppRole whose maximum is lowered after the login: what a renewal grants shrinks without a warning.
        role = bao.app_role(policy, token_ttl="60s")
        session = bao.client(role)
        send_request(session)
        first = session.client._tokens.current()
        bao.call("POST", f"auth/approle/role/test-{bao.roles}", {"token_ttl": "20s", "token_max_ttl": "20s"})
        session.clock.ahead += 31
        send_request(session)
        assert session.client._tokens.current() != first
        assert session.meter.count("renew", "ok") == 1
        assert session.meter.count("login", "ok") == 2
        assert session.meter.count("read_state", "denied") == 0

    def test_a_renewal_that_grants_less_than_half_leads_to_a_login(self, bao: Bao, policy: str) -> None:
        with TamperingProxy(bao.address) as proxy:
            session = bao.client(bao.app_role(policy, token_ttl="60s"), proxy.address)
            send_request(session)

            def shortened(seen) -> ProxiedExchange:
                if "renew-self" not in seen.path:
                    return seen
                answer = json.loads(seen.body)
                answer["auth"]["lease_duration"] = 25
                return replace(seen, body=json.dumps(answer).encode())

            proxy.tamper = shortened
            session.clock.ahead += 31
            send_request(session)
            assert session.meter.count("renew", "ok") == 1
            assert session.meter.count("login", "ok") == 2

    def test_a_revoked_token_is_replaced_once_and_the_request_succeeds(self, bao: Bao, policy: str) -> None:
        session = bao.client(bao.app_role(policy))
        send_request(session)
        revoke(bao, session)
        session.clock.ahead += 2  # a token that was just made would be tried again: a standby may not know it
        send_request(session)
        assert session.meter.count("read_state", "denied") == 1
        assert session.meter.count("look_up", "denied") == 1
        assert session.meter.count("login", "ok") == 2

    def test_many_threads_with_a_revoked_token_log_in_once(self, bao: Bao, policy: str) -> None:
        session = bao.client(bao.app_role(policy))
        send_request(session)
        revoke(bao, session)
        failures: list[Exception] = []

        def work() -> None:
            try:
                send_request(session)
            except Exception as error:  # noqa: BLE001
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert session.meter.count("login", "ok") == 2

    def test_a_policy_that_lacks_something_costs_no_login(self, bao: Bao, policy: str) -> None:
        session = bao.client(bao.app_role(policy))
        with pytest.raises(StoreDenied, match="lacks the capability read on secret/data/elsewhere/x"):
            session.store.read_consumer("elsewhere/x")
        assert session.meter.count("login", "ok") == 1
        assert session.meter.count("look_up", "ok") == 1

    def test_a_token_that_may_not_look_itself_up_logs_in_again_once_and_no_more(self, bao: Bao) -> None:
        bao.policy("narrow", 'path "secret/data/sip/*" { capabilities = ["read"] }')
        session = bao.client(bao.app_role("narrow"))
        with pytest.raises(StoreDenied, match="lacks the capability read on secret/data/rotator/state"):
            send_request(session)
        assert session.meter.count("login", "ok") == 2

    def test_a_token_that_a_standby_does_not_know_yet_is_tried_again_without_a_login(
        self, bao: Bao, policy: str
    ) -> None:
        with TamperingProxy(bao.address) as proxy:
            unknown = FirstMatches(lambda seen: "secret/data" in seen.path, times=2)
            proxy.tamper = lambda seen: (
                with_answer(seen, 403, {"errors": ["permission denied"]}) if unknown(seen) else seen
            )
            session = bao.client(bao.app_role(policy), proxy.address)
            send_request(session)
            assert session.meter.count("read_state", "denied") == 2
            assert session.meter.count("login", "ok") == 1
            assert session.meter.count("look_up", "ok") == 0

    def test_a_wrong_secret_id_is_refused_without_being_quoted(self, bao: Bao, policy: str) -> None:
        role = replace(bao.app_role(policy), secret_id=Secret("not-the-secret-id"))
        session = bao.client(role)
        with pytest.raises(
            StoreDenied, match=r"Vault refuses the values sent for login at auth/approle/login: check vault\.auth"
        ) as caught:
            send_request(session)
        assert "not-the-secret-id" not in repr(caught.value)
        assert caught.value.__context__ is None
        assert session.meter.requests == [("login", "denied")]

    def test_while_the_token_works_a_failing_renewal_only_waits(self, bao: Bao, policy: str) -> None:
        with TamperingProxy(bao.address) as proxy:
            session = bao.client(bao.app_role(policy, token_ttl="60s"), proxy.address)
            send_request(session)
            proxy.tamper = lambda seen: DROP if "renew-self" in seen.path else seen
            session.clock.ahead += 35
            send_request(session)
            send_request(session)
            assert session.meter.count("renew", "unavailable") == 1
            proxy.tamper = lambda seen: seen
            session.clock.ahead += 14
            send_request(session)
            assert session.meter.count("renew", "ok") == 1

    def test_a_login_whose_answer_is_lost_is_made_again(self, bao: Bao, policy: str) -> None:
        with TamperingProxy(bao.address) as proxy:
            session = bao.client(bao.app_role(policy), proxy.address)
            lost = FirstMatches(lambda seen: "login" in seen.path)
            proxy.tamper = lambda seen: DROP if lost(seen) else seen
            send_request(session)
            assert session.meter.count("login", "unavailable") == 1

    def test_a_batch_token_is_replaced_at_half_its_life(self, bao: Bao, policy: str) -> None:
        session = bao.client(bao.app_role(policy, token_ttl="60s", token_type="batch"))
        send_request(session)
        session.clock.ahead += 31
        send_request(session)
        assert session.meter.count("login", "ok") == 2
        assert session.meter.count("renew", "denied") == 0

    def test_a_jump_of_the_wall_clock_renews_nothing(self, bao: Bao, policy: str) -> None:
        session = bao.client(bao.app_role(policy, token_ttl="60s"))
        send_request(session)
        real = session.clock.now
        session.clock.now = lambda: real() + timedelta(days=40)
        send_request(session)
        assert session.meter.count("renew", "ok") == 0
        assert 50 < lifetime(session) <= 60


class TestWrappedSecretId:
    @staticmethod
    def wrapped(bao: Bao, policy: str) -> AppRole:
        plain = bao.app_role(policy)
        made = bao.wrap(f"auth/approle/role/test-{bao.roles}/secret-id")
        return AppRole(plain.role_id, made, wrapped=True)

    def test_it_is_unwrapped_once_and_serves_later_logins_too(self, bao: Bao, policy: str) -> None:
        session = bao.client(self.wrapped(bao, policy))
        send_request(session)
        revoke(bao, session)
        send_request(session)
        assert session.meter.count("unwrap", "ok") == 1
        assert session.meter.count("login", "ok") == 2

    def test_one_that_somebody_else_unwrapped_is_reported_as_such(self, bao: Bao, policy: str) -> None:
        method = self.wrapped(bao, policy)
        send_request(bao.client(method))
        with pytest.raises(StoreDenied, match="already unwrapped; if not by rotator, somebody else has it"):
            send_request(bao.client(method))

    def test_what_holds_no_secret_id_is_refused(self, bao: Bao, policy: str) -> None:
        token = bao.wrap("sys/wrapping/wrap", {"something": "else"})
        with pytest.raises(StoreDenied, match="has no secret_id"):
            send_request(bao.client(replace(bao.app_role(policy), secret_id=token, wrapped=True)))


class TestToken:
    def test_it_is_looked_up_and_renewed(self, bao: Bao, policy: str) -> None:
        session = bao.client(Token(bao.token([policy], ttl="60s")))
        send_request(session)
        assert 55 < lifetime(session) <= 60
        session.clock.ahead += 31
        send_request(session)
        assert session.meter.count("renew", "ok") == 1

    def test_one_without_an_end_has_none(self, bao: Bao) -> None:
        session = bao.client()
        send_request(session)
        assert session.client.token_expires_at() is None
        session.clock.ahead += 10**8
        send_request(session)
        assert session.meter.count("renew", "ok") == 0

    def test_a_revoked_one_is_a_clear_error_and_no_loop(self, bao: Bao, policy: str) -> None:
        session = bao.client(Token(bao.token([policy])))
        send_request(session)
        revoke(bao, session)
        for _ in range(2):
            with pytest.raises(
                StoreDenied, match=r"the Vault token is wrong, revoked or expired \(check vault\.auth\)"
            ):
                send_request(session)
        assert len(session.meter.requests) <= 7

    @pytest.mark.parametrize("token", ["two\nlines", "käse", " padded"])
    def test_one_that_cannot_be_sent_is_refused_without_being_quoted(self, bao: Bao, token: str) -> None:
        with pytest.raises(StoreError) as caught:
            send_request(bao.client(Token(Secret(token))))
        assert token not in "".join(traceback.format_exception(caught.value))

    def test_near_its_maximum_it_is_used_to_the_end_without_storming(self, bao: Bao, policy: str) -> None:
        session = bao.client(Token(bao.token([policy], ttl="60s", explicit_max_ttl="60s")))
        for _ in range(100):
            session.clock.ahead += 0.5
            send_request(session)
        assert session.meter.count("renew", "ok") <= 10


class TestTokenFile:
    def test_a_changed_file_is_read_again_at_once(self, bao: Bao, policy: str, tmp_path: Path) -> None:
        file = tmp_path / "token"
        file.write_text(bao.token([policy], ttl="60s").reveal() + "\n")
        session = bao.client(TokenFile(file))
        send_request(session)
        second = bao.token([policy], ttl="90s")
        file.write_text(second.reveal())
        send_request(session)
        assert session.client._tokens.current() == second
        assert lifetime(session) > 60
        assert session.meter.count("renew", "ok") == 0, "whoever writes the file renews the token"

    def test_after_a_403_the_file_is_read_again(self, bao: Bao, policy: str, tmp_path: Path) -> None:
        file = tmp_path / "token"
        file.write_text(bao.token([policy]).reveal())
        session = bao.client(TokenFile(file))
        send_request(session)
        revoke(bao, session)
        with pytest.raises(StoreDenied, match="revoked or expired"):
            send_request(session)
        file.write_text(bao.token([policy]).reveal())
        send_request(session)

    def test_a_missing_or_empty_file_says_so(self, bao: Bao, tmp_path: Path) -> None:
        with pytest.raises(StoreUnavailable, match=r"token cannot be read \(FileNotFoundError\)"):
            send_request(bao.client(TokenFile(tmp_path / "token")))
        (tmp_path / "empty").write_text("\n")
        with pytest.raises(StoreUnavailable, match="is empty: it must contain one token"):
            send_request(bao.client(TokenFile(tmp_path / "empty")))

    def test_a_file_that_goes_away_does_not_stop_a_token_that_works(
        self, bao: Bao, policy: str, tmp_path: Path
    ) -> None:
        file = tmp_path / "token"
        file.write_text(bao.token([policy]).reveal())
        session = bao.client(TokenFile(file))
        send_request(session)
        file.unlink()
        send_request(session)


@pytest.fixture(scope="session")
def issued_jwt(bao: Bao) -> str:
    """A JWT that OpenBao itself issued and accepts: its identity provider serves as the other issuer."""
    bao.call("POST", "identity/oidc/config", {"issuer": bao.address})
    bao.call("POST", "identity/oidc/key/k", {"allowed_client_ids": "*"})
    bao.call("POST", "identity/oidc/role/r", {"key": "k", "client_id": "rotator", "ttl": "1h"})
    bao.policy("issue", 'path "identity/oidc/token/r" { capabilities = ["read"] }')
    entity = bao.client(bao.app_role("issue")).client
    token = entity.request(VaultRequest("issue", "get", "identity/oidc/token/r"))["data"]["token"]
    bao.call("POST", "sys/auth/jwt", {"type": "jwt"})
    keys = f"{bao.address}/v1/identity/oidc/.well-known/keys"
    bao.call("POST", "auth/jwt/config", {"jwks_url": keys, "bound_issuer": f"{bao.address}/v1/identity/oidc"})
    return str(token)


class TestJwt:
    @pytest.fixture
    def method(self, bao: Bao, policy: str, issued_jwt: str, tmp_path: Path) -> Jwt:
        role = {"role_type": "jwt", "bound_audiences": "rotator", "user_claim": "sub", "token_policies": [policy]}
        bao.call("POST", "auth/jwt/role/rotator", role)
        file = tmp_path / "jwt"
        file.write_text(issued_jwt + "\n")
        return Jwt("rotator", file)

    def test_a_good_one_logs_in_again_after_revocation(self, bao: Bao, method: Jwt) -> None:
        session = bao.client(method)
        send_request(session)
        revoke(bao, session)
        send_request(session)
        assert session.meter.count("login", "ok") == 2

    def test_a_bad_one_is_denied_and_not_quoted(self, bao: Bao, method: Jwt) -> None:
        broken = method.token_path.read_text().strip()[:-6] + "AAAAAA"
        method.token_path.write_text(broken)
        with pytest.raises(StoreDenied, match="for login at auth/jwt/login") as caught:
            send_request(bao.client(method))
        assert broken not in str(caught.value)

    def test_a_method_that_is_not_enabled_is_named(self, bao: Bao, method: Jwt) -> None:
        with pytest.raises(StoreError, match="auth/nojwt/login"):
            send_request(bao.client(replace(method, mount="nojwt")))


@contextmanager
def token_review(accepted: str) -> Iterator[str]:
    """The one endpoint of Kubernetes that Vault asks whether a service account's token is good."""

    class TokenReviewHandler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            user = {"username": "system:serviceaccount:voice:rotator", "uid": "1", "groups": []}
            status = {"authenticated": asked["spec"]["token"] == accepted, "user": user}
            body = json.dumps({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "status": status})
            self.send_response(201)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), TokenReviewHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def service_account_token(signature: str) -> str:
    """Of the form of a service account's token; the cluster, not Vault, checks the signature."""
    claims = {
        "iss": "kubernetes/serviceaccount",
        "sub": "system:serviceaccount:voice:rotator",
        "kubernetes.io/serviceaccount/namespace": "voice",
        "kubernetes.io/serviceaccount/service-account.name": "rotator",
        "kubernetes.io/serviceaccount/service-account.uid": "1",
        "kubernetes.io/serviceaccount/secret.name": "rotator-token",
    }
    parts = [json.dumps({"alg": "RS256", "kid": "k"}), json.dumps(claims), signature]
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


def test_kubernetes_logs_in_with_the_file_as_it_is_at_each_login(
    bao: Bao, policy: str, tmp_path: Path, certificate: str
) -> None:
    good = service_account_token("good")
    with token_review(good) as host:
        bao.call("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
        config = {"kubernetes_host": host, "kubernetes_ca_cert": certificate, "disable_iss_validation": True}
        bao.call("POST", "auth/kubernetes/config", {**config, "disable_local_ca_jwt": True})
        names = {"bound_service_account_names": "rotator", "bound_service_account_namespaces": "voice"}
        bao.call("POST", "auth/kubernetes/role/rotator", {**names, "token_policies": [policy]})
        file = tmp_path / "token"
        method: Method = Kubernetes("rotator", file)
        file.write_text(service_account_token("forged"))
        session = bao.client(method)
        with pytest.raises(StoreDenied, match="login at auth/kubernetes/login"):
            send_request(session)
        file.write_text(good)
        send_request(session)
        assert session.meter.count("login", "ok") == 1
