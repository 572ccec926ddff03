"""Hooks of a real daemon: one that fails holds a rotation before anything is sent, and says so; then all are told."""

import json
import re
import stat
import sys
from pathlib import Path

import pytest
from polling import eventually
from receiver_servers import http_receiver

from rotator.core.secret import Secret

KEY = "c2lnbmF0dXJlcyBvZiBob29rcyBpbiB0ZXN0cw=="
PASSWORD = Secret("initial-Passw0rd!")


@pytest.fixture
def pbx(tmp_path) -> Path:
    """The program of the documentation, for a PBX that cannot read Vault, which writes below `tmp_path`."""
    text = re.findall(r"```python\n(#!/usr/bin/python3.*?)```", Path("docs/hooks.md").read_text(), re.DOTALL)[0]
    text = text.replace("/usr/bin/python3", sys.executable).replace("/etc/asterisk/pjsip.d", str(tmp_path))
    program = tmp_path / "set-trunk"
    program.write_text(text)
    program.chmod(stat.S_IRWXU)
    return program


def test_a_rotation_waits_for_its_hook_and_tells_the_others(environment, pbx, tmp_path):
    environment.account.create("credential", "phone01", PASSWORD)
    target = {"name": "phone", "strategy": "in-place", "credential": {"username": "phone01"}, "path": "sip/phone"}
    with http_receiver(answers=[503] * 1000) as changes:
        hooks = {
            "ask": {"type": "http", "url": changes.url, "key": {"env": "HOOK_KEY"}, "time_limit": "1s"},
            "set": {"type": "command", "command": [str(pbx)], "gives": "password"},
        }
        policy = {"every": "1h", "hooks": {"before_rotation": ["ask"], "after_rotation": ["set"]}}
        environment.configure([target], hooks=hooks, policies={"fast": policy})
        environment.variables["HOOK_KEY"] = KEY
        daemon = environment.start()

        def held() -> str | None:
            rows = json.loads(daemon.get("/status"))["targets"]
            found = [row["waiting"] for row in rows if row["waiting"] and row["waiting"]["reason"] == "hook failed"]
            return found[0]["message"] if found else None

        said = eventually(held, "the rotation is held")
        assert said.startswith("the hook ask failed: it answers 503: nothing is sent to the provider until it succeeds")
        assert environment.account.accepts("phone01", PASSWORD)
        assert daemon.metric('rotator_target_blocked{reason="hook_failed",target="phone"}') == 1
        assert "the hook ask failed" in environment.run_rotator("status", "phone")
        changes.answers.clear()
        eventually(lambda: environment.rotations("phone") == 1 and not environment.state("phone").owed, "all is done")
        assert daemon.stop() == 0

    published = environment.consumer_document("sip/phone")
    assert (tmp_path / "trunk.conf").read_text().splitlines()[2:] == [
        "username=phone01",
        f"password={published.password.reveal()}",
    ]
    assert (tmp_path / "trunk.conf").stat().st_mode & stat.S_IRWXO == 0
    told = [json.loads(body) for body in changes.bodies]
    assert {facts["key"] for facts in told} == {f"{published.attempt}.before_rotation"}
    assert not any(published.password.reveal().encode() in body for body in changes.bodies)
    runs = [record for record in environment.audit() if record["verb"] == "run_hook"]
    assert [(run["facts"]["hook"], run["outcome"]) for run in runs[-2:]] == [("ask", "done"), ("set", "done")]
    printed = daemon.out.read_text() + daemon.err.read_text() + environment.audit_file.read_text()
    assert published.password.reveal() not in printed
    assert KEY not in printed
