"""Many workers at one large account at once: the requests that a rotation takes, and that no creation disturbs another.

The real adapters and connections against the simulated Vobiz. What is counted is what arrives there.
"""

import pytest
from large_account import LargeAccount, requests_of_a_rotation

from rotator.core.answers import Done
from rotator.core.model import Credential
from rotator.core.secret import Secret
from rotator_simulator.providers.vobiz.api import KIND


@pytest.mark.parametrize("single_get", [False, True])
def test_300_replacements_by_32_workers_in_an_account_of_3000(single_get):
    with LargeAccount(3_000, single_get) as large:
        made = large.each(large.replaced, range(0, 3_000, 10))
        assert len({one.value.id for one in made}) == 300
        assert len(large.account.credentials()) == 3_000
        assert large.requests["POST"] == large.requests["PUT"] == large.requests["DELETE"] == 300


@pytest.mark.parametrize("single_get", [False, True])
@pytest.mark.parametrize(("life", "writes"), [("in_place", 1), ("replaced", 3)])
def test_the_requests_of_a_rotation_grow_with_the_fleet_and_not_with_its_square(life, writes, single_get):
    taken = {size: requests_of_a_rotation(size, life, single_get) for size in (100, 1_000, 10_000)}
    print(life, f"{single_get=}", {size: round(requests, 2) for size, requests in taken.items()})
    # The first look-up of each, and a proof by read-back, take a page or a share of a reading: of nearly two passes if
    # what is looked for must not be there.
    assert taken[10_000] <= writes + 6
    assert taken[10_000] <= 3 * taken[1_000]


@pytest.mark.parametrize("order", ["oldest", "newest", "changed"])
@pytest.mark.parametrize("until", [2, 3, 10])
def test_what_somebody_changes_while_the_pages_are_read_is_found(order, until):
    """Sorted by the last change, it moves from a page that follows to the first one, which was read."""
    with LargeAccount(250, order=order) as large:

        def change() -> None:
            if 2 <= large.requests["list"] <= until:
                large.account.update(KIND, "id-20", password=Secret(f"Another$Passw0rd{large.requests['list']}"))

        large.before_each_page = change
        found = large.provider.find(Credential("prod", "phone20"))
        assert isinstance(found, Done)
        assert [one.id for one in found.value] == ["id-20"]
        assert large.requests["list"] <= 4
