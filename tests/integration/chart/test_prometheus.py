"""A real Prometheus scrapes a real daemon: the page is clean, every query of the dashboard answers, alerts see it."""

import json
import re
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import trustme
from daemon_environment import DaemonEnvironment, daemon_environment
from free_ports import free_port
from openbao_server import Bao
from polling import eventually
from rendered_chart import CHART, of_kind, rendered
from running_endpoint import RunningEndpoint
from test_alerts import SERIES, promtool

from rotator.core.answers import Answer, Done, Unknown
from rotator.core.model import Credential
from rotator.core.secret import Secret
from rotator.core.usage_rules import Usage
from rotator.daemon.clock import SystemClock
from rotator.observe.catalogue import METRICS
from rotator.ports import UsageQuestion
from rotator.providers.http.client import Http, HttpOptions
from rotator.providers.usage_sources import PrometheusSource
from rotator.settings.http import TlsSettings
from rotator.testing import NullMeter

pytestmark = pytest.mark.ci


class Prometheus:
    """A Prometheus that scrapes one daemon every second, under the labels that the chart's monitors set.

    `scrape` is what else it is told about the endpoint.
    """

    def __init__(self, folder: Path, scraped: str, rules: dict[str, Any], **scrape: Any) -> None:
        program = shutil.which("prometheus")
        assert program, "prometheus is not installed: apt-get install prometheus"
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        (folder / "rules.json").write_text(json.dumps(rules))
        settings = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.json"],
            "scrape_configs": [
                {
                    "job_name": "rotator",
                    "static_configs": [{"targets": [scraped], "labels": {"namespace": "telephony"}}],
                    **scrape,
                }
            ],
        }
        (folder / "prometheus.json").write_text(json.dumps(settings))
        self._log = (folder / "prometheus.log").open("wb")
        self._process = subprocess.Popen(
            [
                program,
                f"--config.file={folder / 'prometheus.json'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=self._log,
            stderr=self._log,
        )

    def get(self, path: str, **query: str) -> Any:
        """The data of an answer of its API; None while it does not answer yet."""
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                document = json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 503:  # it has not read its rules yet
                return None
            raise AssertionError(f"{query}: {json.load(error)['error']}") from None
        except OSError:
            return None
        assert document["status"] == "success"
        return document["data"]

    def ask(self, query: str) -> list[Any]:
        """The series that a query finds now."""
        found = self.get("query", query=query)
        return list(found["result"]) if found else []

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._log.close()


@pytest.fixture(scope="module")
def environment(bao: Bao, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonEnvironment]:
    """A daemon that has replaced one password and retired the old one, and has a second target."""
    with daemon_environment(bao, tmp_path_factory.mktemp("stage")) as made:
        made.account.create("credential", "deskphone", Secret("old-password-1!"))
        targets = [
            {"name": name, "strategy": "replace", "credential": {"username": name, "new": True}, "path": f"sip/{name}"}
            for name in ("deskphone", "doorphone")
        ]
        made.configure(targets)
        made.start()
        eventually(lambda: made.rotations("deskphone") and not made.state("deskphone").ledger, "rotated and retired")
        eventually(lambda: made.rotations("doorphone"), "both rotated")
        yield made


@pytest.fixture(scope="module")
def prometheus(environment: DaemonEnvironment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    rules = of_kind(rendered({"prometheusRule": {"enabled": True}}, name="rotator"), "PrometheusRule")["spec"]
    started = Prometheus(
        tmp_path_factory.mktemp("prometheus"), environment.daemons[0].url.removeprefix("http://"), rules
    )
    try:
        eventually(lambda: started.ask("count_over_time(up[1m]) > 3"), "scraped a few times")
        yield started
    finally:
        started.stop()


class RegistrationExporter(BaseHTTPRequestHandler):
    """Tells how many devices are registered with one username."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b'sip_registrations{user="old01"} 2\n')

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def test_a_query_of_the_usage_check_is_answered_and_says_nothing_once_the_exporter_is_down(tmp_path: Path) -> None:
    exporter = ThreadingHTTPServer(("127.0.0.1", 0), RegistrationExporter)
    thread = Thread(target=exporter.serve_forever, daemon=True)
    thread.start()
    started = Prometheus(tmp_path, f"127.0.0.1:{exporter.server_port}", {}, metrics_path="/metrics")
    # As the runbook writes it, but for the job.
    query = 'sum(sip_registrations{user="{username}"}) or 0 * (up{job="rotator"} == 1)'
    http = Http(HttpOptions("usage:pbx", started.url, {}, read_only=True), SystemClock(Event()), NullMeter())

    def said(username: str) -> Answer[Usage]:
        return PrometheusSource(http, query).ask(UsageQuestion("office", Credential("prod", username), None))

    try:
        eventually(lambda: said("old01") == Done(Usage(in_use=True, evidence="the query says 2")), "somebody is there")
        assert said("new01") == Done(Usage(in_use=False, evidence="the query says 0"))
        exporter.shutdown()
        exporter.server_close()
        eventually(lambda: said("old01") == Unknown("the result of the query is empty, which is no zero"), "no answer")
        assert isinstance(said("new01"), Unknown)
    finally:
        http.close()
        started.stop()
        thread.join(10)


def test_a_protected_endpoint_is_scraped_as_the_documentation_says(tmp_path: Path) -> None:
    authority, token = trustme.CA(), "sentinel-http-token-0123456789"
    leaf = authority.issue_cert("rotator.telephony.svc")
    files = {name: tmp_path / name for name in ("ca.crt", "tls.crt", "tls.key", "token")}
    authority.cert_pem.write_to_path(files["ca.crt"])
    leaf.cert_chain_pems[0].write_to_path(files["tls.crt"])
    leaf.private_key_pem.write_to_path(files["tls.key"])
    files["token"].write_text(token)
    endpoint = RunningEndpoint(tls=TlsSettings(certificate=files["tls.crt"], key=files["tls.key"]))
    endpoint.token = Secret(token)
    started = Prometheus(
        tmp_path,
        f"127.0.0.1:{endpoint.server.port}",
        {},
        scheme="https",
        authorization={"credentials_file": str(files["token"])},
        tls_config={"ca_file": str(files["ca.crt"]), "server_name": "rotator.telephony.svc"},
    )
    try:
        eventually(lambda: started.ask("up == 1"), "it is scraped")
        endpoint.token = Secret(token[::-1])
        eventually(lambda: started.ask("up == 0"), "without the right token it is not")
    finally:
        started.stop()
        endpoint.server.stop()


def queries() -> list[tuple[str, str]]:
    """Title and query of everything on the dashboard, its variables filled in."""
    board = json.loads((CHART / "files" / "dashboard.json").read_text())
    return [
        (panel["title"], target["expr"].replace("$job", "rotator").replace("$__rate_interval", "1m"))
        for panel in board["panels"]
        for target in panel["targets"]
    ]


def names_in(query: str) -> set[str]:
    return set(re.findall(r"\brotator_[a-z_]+", query))


def test_promtool_finds_nothing_to_blame_in_the_daemons_own_page(environment):
    code, said = promtool("check", "metrics", text=environment.daemons[0].get("/metrics"))
    assert (code, said) == (0, "")


def test_promtool_can_find_something_to_blame():
    code, said = promtool("check", "metrics", text="# TYPE rotations counter\nrotations 1\n")
    assert code != 0
    assert "_total" in said


def test_the_scrape_is_good(prometheus):
    (target,) = prometheus.get("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    (duration,) = prometheus.ask('scrape_duration_seconds{job="rotator"}')
    assert float(duration["value"][1]) < 1.0


def test_prometheus_knows_each_metric_by_the_kind_that_the_catalogue_says(prometheus):
    known = prometheus.get("metadata")
    described = {each.name: each.kind for each in METRICS}
    seen = {name: entries[0]["type"] for name, entries in known.items() if name.startswith("rotator_")}
    assert len(seen) > 20
    assert {name: described[name] for name in seen} == seen


@pytest.mark.parametrize(("title", "query"), queries())
def test_each_query_of_the_dashboard_answers(prometheus, environment, title, query):
    names = names_in(query)
    assert names
    assert names <= SERIES
    found = prometheus.ask(query)
    page = environment.daemons[0].get("/metrics")
    if all(re.search(rf"^{name}[{{ ]", page, re.MULTILINE) for name in names):
        assert found, f"{title}: nothing found, though the daemon reports {sorted(names)}"


def test_the_dashboard_shows_what_the_daemon_did(prometheus):
    board = dict(queries())
    assert [row["value"][1] for row in prometheus.ask(board["Targets"])] == ["2"]
    assert [row["value"][1] for row in prometheus.ask(board["Failing"])] == ["0"]
    ages = prometheus.ask(board["Age of the passwords, against the policy"])
    assert {row["metric"]["target"] for row in ages} == {"deskphone", "doorphone"}
    assert all(0 <= float(row["value"][1]) < 0.1 for row in ages)


def test_every_metric_of_the_catalogue_that_an_operator_has_to_watch_is_on_the_dashboard_or_in_an_alert():
    text = (CHART / "files" / "alerts.yaml").read_text() + str(queries())
    shown = {each.name for each in METRICS if each.name in text}
    assert {each.name for each in METRICS} - shown == {
        "rotator_audit_last_sequence",
        "rotator_config_last_reload_success_timestamp_seconds",
        # When somebody last checked an account, and what that showed: for whoever asks.
        "rotator_account_assumptions",
        "rotator_account_checked_timestamp_seconds",
        # What a pause or a blackout holds now; what it has held for long is in an alert.
        "rotator_target_paused",
    }


def test_a_healthy_daemon_raises_no_alert(prometheus):
    eventually(lambda: prometheus.get("rules")["groups"][0]["lastEvaluation"][:4] != "0001", "rules were evaluated")
    (group,) = prometheus.get("rules")["groups"]
    assert {(rule["name"], rule["health"]) for rule in group["rules"] if rule["health"] != "ok"} == set()
    assert [alert["labels"] for alert in prometheus.get("alerts")["alerts"]] == []


def test_a_document_that_somebody_else_wrote_is_seen_by_the_alert(prometheus, environment):
    """Last in this file: it breaks a target of the shared environment."""
    environment.bao.call("POST", "secret/data/sip/doorphone", {"data": {"username": "mine", "password": "by-hand-1!"}})

    def pending() -> bool:
        alerts = prometheus.get("alerts")["alerts"]
        return any(alert["labels"]["alertname"] == "RotatorTargetBlocked" for alert in alerts)

    eventually(pending, "RotatorTargetBlocked is pending")
    (alert,) = prometheus.get("alerts")["alerts"]
    assert alert["labels"] == {
        "alertname": "RotatorTargetBlocked",
        "target": "doorphone",
        "reason": "foreign_document",
        "severity": "warning",
    }
