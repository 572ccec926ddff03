"""Files of a configuration that commands write."""

import os

import pytest

from rotator.cli.writing import put_in_place


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away; .ci/run does, whoever runs it")
def test_who_could_read_a_file_can_read_what_replaces_it(tmp_path):
    file = tmp_path / "targets.csv"
    file.write_text("name\n")
    file.chmod(0o640)
    os.chown(file, 4711, 4712)
    put_in_place({file: "name\nphone\n"}, replace=True)
    after = file.stat()
    assert file.read_text() == "name\nphone\n"
    assert (after.st_uid, after.st_gid, after.st_mode & 0o777) == (4711, 4712, 0o640)
