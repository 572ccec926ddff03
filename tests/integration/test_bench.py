"""The bench runs from end to end. How fast anything is, is nobody's business here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(600)
def test_the_bench_measures_every_section():
    words = [sys.executable, "tests/bench", "--smoke", "--output", "json"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=590)
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout)
    in_place, bare, own, replace, bare_replace, own_replace = result["speed"][:6]  # and aiohttp, if it is installed
    # In place: the PUT and the proof; a replacement: the POST and the proof. The pools do what was counted there.
    assert in_place["requests"]["PUT"] == bare["requests"]["PUT"] == 1.0
    assert replace["requests"]["POST"] == bare_replace["requests"]["POST"] == 1.0
    pools = ((in_place, bare), (in_place, own), (replace, bare_replace), (replace, own_replace))
    for rotator, pool in pools:
        for kind in ("GET", "WRITE"):
            assert round(rotator["requests"][kind]) == pool["requests"][kind], kind
    by_log_in, bare_by_log_in = result["speed"][6:8]
    for row in (by_log_in, bare_by_log_in):  # proved by a log-in, nothing is read back
        assert (row["failed"], row["requests"]["PUT"], row["requests"]["LOGIN"]) == (0, 1.0, 1.0)
        assert "GET" not in row["requests"]
    assert in_place["of_plain_pool"] > 0
    assert in_place["of_own_pool"] > 0
    assert [(row["daemons"], row["failed"], row["requests"]["PUT"]) for row in result["replicas"]] == [
        (number, 0, 1.0) for number in (1, 2)
    ]
    [grown] = result["growth"]
    assert (grown["targets"], grown["memory_mb"] > 10, grown["sigterm_s"] < 30) == (20, True, True)
    [asked] = result["requests"]
    assert 1 <= asked["in-place"] <= asked["replace, whole life"]
