"""The daemon's pages for people: the fleet, its targets, one target with its timeline, the accounts. Pure.

They say what the status document says, in the words of `rotator status`, and need no script.
"""

from rotator.observe.web.accounts import AccountFacts, accounts_page
from rotator.observe.web.fleet import FleetFacts, fleet_page
from rotator.observe.web.shell import About, error_page
from rotator.observe.web.target import TargetFacts, target_page
from rotator.observe.web.target_list import ListQuery, TargetList, list_page

__all__ = [
    "About",
    "AccountFacts",
    "FleetFacts",
    "ListQuery",
    "TargetFacts",
    "TargetList",
    "accounts_page",
    "error_page",
    "fleet_page",
    "list_page",
    "target_page",
]
