"""What `rotator import` prints of many rows."""

import pytest

from rotator.cli.import_adoption import AdoptedRow, AdoptionResult
from rotator.cli.import_results import print_adopted


def test_of_many_that_failed_the_first_are_shown_and_the_rest_counted(capsys: pytest.CaptureFixture[str]) -> None:
    print_adopted([AdoptedRow(f"phone{number}", AdoptionResult.FAILED, "refused") for number in range(1150)])
    out = capsys.readouterr().out
    assert out.count("refused") == 100
    assert "… and 1,050 more: --output json has them" in out
    assert "1,150 failed" in out
