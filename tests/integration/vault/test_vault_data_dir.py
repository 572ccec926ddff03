"""The folder of an embedded server is made private: so it is never somebody else's."""

from pathlib import Path
from threading import Event

import pytest

from rotator.daemon.clock import SystemClock
from rotator.vault.embedded import EmbeddedVault
from rotator.vault.process import EmbeddedError


def test_a_folder_with_other_things_in_it_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o755)
    (folder / "letters.txt").write_text("not ours")
    with pytest.raises(EmbeddedError, match="contains other files: use an empty directory"):
        EmbeddedVault(folder, SystemClock(Event())).start()
    assert folder.stat().st_mode & 0o777 == 0o755
    assert [file.name for file in folder.iterdir()] == ["letters.txt"]


def test_an_empty_volume_is_taken(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "lock").touch()
    with EmbeddedVault(tmp_path, SystemClock(Event())) as server:
        assert server.running()
    assert tmp_path.stat().st_mode & 0o777 == 0o700
