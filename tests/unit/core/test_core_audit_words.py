"""The words of the audit: all of them documented, all of them written somewhere, none of them a class's name."""

import re
from enum import StrEnum
from pathlib import Path

import pytest

from rotator.core.answers import Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.audit_words import AuditOutcome, AuditVerb, outcome_of

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(("words", "heading"), [(AuditVerb, "verb"), (AuditOutcome, "outcome")])
def test_the_page_lists_every_word_with_its_meaning(words: type[StrEnum], heading: str) -> None:
    rows = [f"| {heading} | meaning |", "|---|---|", *(f"| `{word}` | {word.meaning} |" for word in words)]
    assert "\n".join(rows) in (ROOT / "docs/audit.md").read_text()


@pytest.mark.parametrize("word", [*AuditVerb, *AuditOutcome])
def test_every_word_is_lower_case_with_underscores_and_is_written_somewhere(word: StrEnum) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", word)
    name = f"{type(word).__name__}.{word.name}"
    sources = [path.read_text() for path in (ROOT / "rotator").rglob("*.py")]
    assert any(name in source for source in sources)


def test_every_answer_has_an_outcome_of_its_own() -> None:
    answers = (Done(None), Refused(Refusal.OTHER, ""), Retry(Wait.IN_USE, ""), Unknown(""))
    assert [outcome_of(answer) for answer in answers] == ["done", "refused", "retry", "unknown"]
