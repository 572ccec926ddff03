"""The Kubernetes API as far as Events need it, by HTTPS: what its schemas and its validation refuse, this refuses."""

import json
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kubernetes_validate
import trustme
from quiet_http import QuietHandler, QuietServer

TOKEN = "the-token-of-the-pod"
LOST = 0  # in `answers`: it is carried out, and the connection ends without an answer
_PLACE = re.compile(r"/apis/events\.k8s\.io/v1/namespaces/([a-z0-9-]+)/events(?:/([a-z0-9.-]+))?")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


@dataclass
class EventsApi:
    """A cluster. `answers` are statuses for the next requests, instead of what it would do; then it works."""

    folder: Path  # of the pod's service account
    port: int = 0
    events: dict[str, dict[str, Any]] = field(default_factory=dict)  # by name
    answers: list[int] = field(default_factory=list)
    forbids: bool = False  # there is no Role
    deaf: threading.Event | None = None  # it answers nothing until this is set
    waiting: int = 0  # requests that came while it was deaf
    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # why something was called invalid
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def environ(self) -> dict[str, str]:
        return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.port)}

    def by_reason(self, reason: str) -> list[dict[str, Any]]:
        return [event for event in self.events.values() if event["reason"] == reason]

    def carry_out(self, method: str, path: str, headers: Any, body: Any) -> int:
        """Does what a request asks for and returns the status."""
        place = _PLACE.fullmatch(path)
        if headers["Authorization"] != f"Bearer {TOKEN}":
            return 401
        if place is None or place[1] != "telephony":
            return 404
        if self.forbids:
            return 403
        if method == "PATCH":
            return self._patch(place[2], headers["Content-Type"], body)
        if body["metadata"]["name"] in self.events:
            return 409
        return self._stored(body, 201)

    def _patch(self, name: str, content_type: str, body: Any) -> int:
        if name not in self.events:
            return 404
        if content_type != "application/strategic-merge-patch+json":
            return 415
        if set(body) != {"series"}:  # everything else of an Event is immutable
            self.problems.append(f"immutable: {set(body)}")
            return 422
        return self._stored(self.events[name] | body, 200)

    def _stored(self, event: dict[str, Any], status: int) -> int:
        try:
            for version in ("1.32", "1.27"):
                kubernetes_validate.validate(event, version, strict=True)
            self._validate(event)
        except (kubernetes_validate.ValidationError, AssertionError) as error:
            self.problems.append(str(error))
            return 422
        self.events[event["metadata"]["name"]] = event
        return status

    def _validate(self, event: dict[str, Any]) -> None:
        """What the API server checks beyond its schemas: pkg/apis/core/validation/events.go."""
        name, pod = event["metadata"]["name"], event["regarding"]
        assert _NAME.fullmatch(name), name
        assert len(name) <= 253, name
        assert event["metadata"]["namespace"] == pod["namespace"] == "telephony"
        assert event["eventTime"]
        assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", event["reportingController"])
        for key in ("reportingInstance", "action", "reason"):
            assert 0 < len(event[key].encode()) <= 128, key
        assert len(event["note"].encode()) <= 1024, "note"
        assert event["type"] in ("Normal", "Warning")
        assert not {key for key in event if key.startswith("deprecated")}
        assert "series" not in event or event["series"]["count"] >= 2


class _EventsServer(QuietServer):
    api: EventsApi


class _EventsHandler(QuietHandler):
    server: _EventsServer

    def do_POST(self) -> None:  # noqa: N802 - the name that the server looks for
        api, data = self.server.api, self.read_body()
        if api.deaf is not None:
            api.waiting += 1
            api.deaf.wait(60)
        with api.lock:
            api.requests.append(f"{self.command} {self.path}")
            told = api.answers.pop(0) if api.answers else None
            status = told or api.carry_out(self.command, self.path, self.headers, json.loads(data))
        if told == LOST and told is not None:
            self.close_connection = True
            return
        self.answer(status, {"Retry-After": "1"} if status == 429 else {})

    do_PATCH = do_POST  # noqa: N815 - the name that the server looks for


def mounted(folder: Path, ca: trustme.CA) -> Path:
    """Writes what the chart mounts, and returns the folder."""
    folder.mkdir(exist_ok=True)
    ca.cert_pem.write_to_path(folder / "ca.crt")
    for name, text in (("token", f"{TOKEN}\n"), ("namespace", "telephony"), ("pod", "rotator-0"), ("uid", "8f1c-4d")):
        (folder / name).write_text(text)
    return folder


@contextmanager
def events_api(folder: Path) -> Iterator[EventsApi]:
    """A cluster that listens, and the mounted service account in a folder."""
    ca, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    with _EventsServer(("127.0.0.1", 0), _EventsHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.api = EventsApi(mounted(folder, ca), server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server.api
        finally:
            server.shutdown()
            thread.join()
