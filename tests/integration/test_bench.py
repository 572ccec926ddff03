"""The bench runs from end to end. How fast anything is, is nobody's business here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(300)
def test_the_bench_measures_every_section():
    words = [sys.executable, "tests/bench", "--smoke", "--output", "json"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=290)
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout)
    in_place, bare, replace, bare_replace = result["speed"]
    # In place: the PUT and the proof; a replacement: the POST and the proof. The pools do what was counted there.
    assert in_place["requests"]["PUT"] == bare["requests"]["PUT"] == 1.0
    assert replace["requests"]["POST"] == bare_replace["requests"]["POST"] == 1.0
    for rotator, pool in ((in_place, bare), (replace, bare_replace)):
        for kind in ("GET", "WRITE"):
            assert round(rotator["requests"][kind]) == pool["requests"][kind], kind
    assert in_place["of_bare_pool"] > 0
    [grown] = result["growth"]
    assert (grown["targets"], grown["memory_mb"] > 10, grown["sigterm_s"] < 30) == (20, True, True)
    [asked] = result["requests"]
    assert 1 <= asked["in-place"] <= asked["replace, whole life"]
