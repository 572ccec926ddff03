"""Which credentials the audit shows to be made here: by what name, and when that is not enough."""

from functools import partial

import pytest

from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.orphan_evidence import MadeCredentials
from rotator.core.selection import ListedCredential

LISTED = ListedCredential("id-1", "officeab12cd34")
MADE = {"account": "one", "username": "officeab12cd34", "credential": None, "attempt": "77"}
KNOWN = MADE | {"credential": "id-1"}
CREATED = (AuditVerb.CREATE, "office", AuditOutcome.DONE, MADE)
PUBLISHED = (AuditVerb.PUBLISH, "office", AuditOutcome.DONE, KNOWN)


def target(*records: tuple, entry: ListedCredential = LISTED, accounts: tuple[str, ...] = ("one",)) -> str | None:
    made = MadeCredentials()
    for record in records:
        made.take(dict(zip(("verb", "target", "outcome", "facts"), record, strict=True)))
    return made.target_of(accounts, entry)


CASES = {
    "created": (partial(target, CREATED, PUBLISHED), "office"),
    "created, by an answer that was lost": (partial(target, (*CREATED[:2], AuditOutcome.UNKNOWN, MADE)), "office"),
    "refused": (partial(target, (*CREATED[:2], AuditOutcome.REFUSED, MADE)), None),
    "about to be created": (partial(target, (*CREATED[:2], AuditOutcome.INTENDED, MADE)), None),
    "only published": (partial(target, PUBLISHED), None),
    "at another account": (partial(target, CREATED, accounts=("two",)), None),
    "under another name of the account": (partial(target, CREATED, accounts=("two", "one")), "office"),
    "in another letter case": (partial(target, CREATED, entry=ListedCredential("id-1", "OfficeAB12cd34")), "office"),
    "with the attempt in its name": (
        partial(target, CREATED, entry=ListedCredential("x", "gen1", attempt="77")),
        "office",
    ),
    "with another attempt": (partial(target, CREATED, entry=ListedCredential("x", "gen1", attempt="78")), None),
    "created again by hand, with another id": (
        partial(target, CREATED, PUBLISHED, entry=ListedCredential("id-2", LISTED.username)),
        None,
    ),
    "deleted, and created again with the same id": (
        partial(target, CREATED, PUBLISHED, (AuditVerb.DELETE, "office", AuditOutcome.DONE, KNOWN)),
        None,
    ),
    "not deleted": (
        partial(target, CREATED, PUBLISHED, (AuditVerb.DELETE, "office", AuditOutcome.REFUSED, KNOWN)),
        "office",
    ),
    "its target renamed": (
        partial(target, (AuditVerb.RENAME, "gate", AuditOutcome.DONE, {"renamed_from": "office"}), CREATED),
        "gate",
    ),
    "its target renamed twice": (
        partial(
            target,
            CREATED,
            (AuditVerb.RENAME, "gate", AuditOutcome.DONE, {"renamed_from": "office"}),
            (AuditVerb.RENAME, "door", AuditOutcome.DONE, {"renamed_from": "gate"}),
        ),
        "door",
    ),
    "the same name at two accounts": (
        partial(
            target,
            (*CREATED[:3], MADE | {"account": "two"}),
            (AuditVerb.CREATE, "gate", AuditOutcome.DONE, MADE),
            PUBLISHED,
        ),
        "gate",
    ),
    "renamed there and back": (
        partial(
            target,
            CREATED,
            (AuditVerb.RENAME, "gate", AuditOutcome.DONE, {"renamed_from": "office"}),
            (AuditVerb.RENAME, "office", AuditOutcome.DONE, {"renamed_from": "gate"}),
        ),
        None,
    ),
    "given up": (partial(target, CREATED, (AuditVerb.GIVE_UP, "office", AuditOutcome.DONE, {})), None),
}


@pytest.mark.parametrize("case", CASES)
def test_what_the_audit_shows(case: str) -> None:
    show, wanted = CASES[case]
    assert show() == wanted
