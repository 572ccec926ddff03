"""Ctrl-C and a full disk while a result is written: nothing follows what has begun, and nobody sees a traceback."""

import fcntl
import json
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from polling import eventually

PRINTS = """
import os, signal, sys
from pathlib import Path
from threading import Event
import rotator.cli.show_status as status
from rotator.cli.context import stop_at_once
from rotator.cli.printing import print_json
from rotator.daemon.signals import interruptible
class Noticed(Event):
    def set(self):
        super().set()
        Path(os.environ["NOTICED"]).touch()
def alone(*_):
    print_json({"rows": ["x" * 100] * 20_000})
def in_context(*_):
    with interruptible(Noticed(), again=stop_at_once):
        alone()
def small(*_):
    print_json({"rows": []})
def fails_afterwards(*_):
    small()
    raise ZeroDivisionError
def impatient(*_):
    import rotator.cli.app as app
    app.say = lambda text: os.kill(os.getpid(), signal.SIGINT)
    raise KeyboardInterrupt
status.show_status = NAME
from rotator.cli import main
sys.argv = ["rotator", "status", "-o", "json"]
main()
"""
_IN_A_PIPE = 65_536  # bytes


@pytest.fixture(params=["", "1"], ids=["buffered", "as in the image"])
def buffering(request, monkeypatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", request.param)


@pytest.fixture
def noticed(tmp_path, monkeypatch) -> Path:
    """Is there once the first Ctrl-C was noticed by `in_context`."""
    monkeypatch.setenv("NOTICED", str(tmp_path / "noticed"))
    return tmp_path / "noticed"


def prints(what: str) -> list[str]:
    return [sys.executable, "-c", PRINTS.replace("NAME", what)]


@contextmanager
def with_a_slow_reader(what: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A command whose result fills the pipe that nobody reads."""
    child = subprocess.Popen(prints(what), stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def is_full() -> bool:
        assert child.poll() is None
        (size,) = struct.unpack("i", fcntl.ioctl(child.stdout, termios.FIONREAD, b"\0" * 4))
        return size == _IN_A_PIPE

    with child:
        eventually(is_full, "the pipe is full")
        yield child
        child.kill()


@pytest.mark.usefixtures("buffering")
def test_ctrl_c_while_a_result_is_written_ends_it_where_it_is():
    """The error document followed what had begun, and the command went on waiting for the reader."""
    with with_a_slow_reader("alone") as child:
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 130
        out, err = child.communicate()
    assert err == b"rotator: stopped; the result on standard output may lack its end\n"
    assert b"error" not in out
    assert out.startswith(b'{\n  "rows": [')


def test_a_second_ctrl_c_while_a_command_that_works_writes_its_result_ends_it_at_once(noticed):
    """It waited for the reader, to tell him in a second document that it had stopped."""
    with with_a_slow_reader("in_context") as child:
        child.send_signal(signal.SIGINT)
        eventually(noticed.exists, "Ctrl-C was noticed")
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 130
        out, err = child.communicate()
    assert err == b"\nrotator: stopped at once\n"
    assert b"error" not in out


@pytest.mark.usefixtures("buffering")
def test_a_first_ctrl_c_while_a_command_that_works_writes_its_result_cuts_nothing_off(noticed):
    """Unbuffered, all was lost but what the pipe had room for, and the exit code was 0."""
    with with_a_slow_reader("in_context") as child:
        child.send_signal(signal.SIGINT)
        eventually(noticed.exists, "Ctrl-C was noticed")
        out, err = child.communicate(timeout=20)
    assert (child.returncode, err) == (0, b"")
    assert len(json.loads(out)["rows"]) == 20_000


def test_a_second_ctrl_c_while_the_first_one_is_answered_is_no_traceback():
    done = subprocess.run(prints("impatient"), capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (130, "\nrotator: stopped at once\n")
    assert json.loads(done.stdout)["error"]["code"] == 130


def test_an_error_after_the_result_is_told_to_people_only():
    done = subprocess.run(prints("fails_afterwards"), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 5
    assert "this is a bug in rotator" in done.stderr
    assert json.loads(done.stdout) == {"rows": []}


@pytest.mark.parametrize("what", ["small", "alone"])
@pytest.mark.usefixtures("buffering")
def test_a_result_that_the_disk_has_no_room_for_is_no_bug(what):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(prints(what), stdout=full, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    assert done.stderr == "rotator: standard output cannot be written: No space left on device\n"
    assert done.returncode == 1


@pytest.mark.parametrize("what", ["small", "alone"])
def test_a_reader_that_has_gone_away_is_no_error(what):
    with subprocess.Popen(prints(what), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdout.close()
        err = child.stderr.read()
    assert (child.returncode, err) == (1, b"")


@pytest.mark.parametrize("what", ["small", "alone"])
def test_whatever_is_written_arrives_whole(what):
    done = subprocess.run(prints(what), capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads(done.stdout)["rows"]) == {"small": 0, "alone": 20_000}[what]
