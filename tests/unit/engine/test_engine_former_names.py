"""What was written under a name that is not configured any more, and which new target that concerns."""

from collections import Counter
from dataclasses import replace

import pytest
from core_facts import ATTEMPT, ENTRY
from engine_harness import ALTERNATING, IN_PLACE

from rotator.core.model import Credential, TargetState
from rotator.engine import FormerNames
from rotator.ports import StoreCorrupt, Versioned
from rotator.testing import MemoryStore

NEW = replace(IN_PLACE, name="reception", usernames=("front",), path="sip/reception")
PUBLISHED = TargetState("office", Credential("fake", "office"), path="sip/office")


class NamesStore(MemoryStore):
    """Counts what is read; some documents are damaged."""

    def __init__(self, *states: TargetState) -> None:
        super().__init__()
        self.read, self.damaged = Counter[str](), set[str]()
        for state in states:
            self.put(state)

    def put(self, state: TargetState) -> None:
        self.states[state.target] = Versioned(state, 1)

    def read_state(self, target: str) -> Versioned:
        self.read[target] += 1
        if target in self.damaged:
            raise StoreCorrupt("not JSON")
        return super().read_state(target)


@pytest.mark.parametrize(
    ("state", "found"),
    [
        (replace(PUBLISHED, path="sip/reception"), True),
        (replace(PUBLISHED, published=Credential("fake", "FRONT")), True),  # names are compared without case
        (replace(PUBLISHED, standby=Credential("fake", "front")), True),
        (replace(PUBLISHED, ledger=(replace(ENTRY, credential=Credential("fake", "front")),)), True),
        (replace(PUBLISHED, attempt=replace(ATTEMPT, staged=Credential("fake", "front"))), True),
        (TargetState("office", attempt=ATTEMPT, path="sip/reception"), True),
        (PUBLISHED, False),
        (replace(PUBLISHED, published=Credential("other", "front")), False),
        (TargetState("office", path="sip/reception", standby=Credential("fake", "front")), False),  # nothing handed out
    ],
)
def test_a_new_target_has_a_former_name_if_a_document_has_its_path_or_its_username_at_its_account(state, found):
    assert FormerNames(NamesStore(state), ()).at(NEW) == ("office" if found else "")


def test_any_of_the_two_usernames_of_a_pair_counts():
    pair = replace(ALTERNATING, name="pair", path="sip/pair")
    for username in pair.usernames:
        published = replace(PUBLISHED, published=Credential("fake", username))
        assert FormerNames(NamesStore(published), ()).at(pair) == "office"


def test_a_configured_target_and_the_target_itself_are_nobodys_former_name():
    taken = replace(PUBLISHED, path="sip/reception")
    names = FormerNames(NamesStore(taken), {"office"})
    assert names.at(NEW) == ""
    assert names.all() == ()
    own = replace(taken, target="reception")
    assert FormerNames(NamesStore(own), ()).at(NEW) == ""
    names.configure(())
    assert names.all() == ("office",)


def test_the_documents_are_read_once_and_a_name_that_is_found_is_read_again():
    store = NamesStore(replace(PUBLISHED, path="sip/reception"), replace(PUBLISHED, target="door"))
    names = FormerNames(store, ())
    assert names.at(NEW) == "office"
    assert names.at(NEW) == "office"
    assert store.read == {"office": 3, "door": 1}
    store.put(PUBLISHED)  # it has left the path
    assert names.at(NEW) == ""
    store.put(TargetState("office", path="sip/reception"))  # or was emptied
    assert names.at(NEW) == ""


def test_a_damaged_document_says_nothing_and_hides_no_other():
    store = NamesStore(replace(PUBLISHED, path="sip/reception"), replace(PUBLISHED, target="broken"))
    store.damaged = {"broken"}
    names = FormerNames(store, ())
    assert names.at(NEW) == "office"
    store.damaged.add("office")
    assert names.at(NEW) == ""
