"""Rate-limit control lists (RLCL), which name credentials by their usernames (Apinizer, Add Credentials to RLCL).

No page has a request that shows which lists there are, or whom they name.
"""

from collections.abc import Callable, Iterable

from flask import Response

from rotator_simulator.providers.apinizer.common import ApinizerResponses


class RateLimitLists:
    """The lists of every project. The caller must hold a lock."""

    def __init__(self, names: Iterable[str], responses: ApinizerResponses) -> None:
        """Starts with empty lists."""
        self._named: dict[str, set[str]] = {name: set() for name in names}
        self._responses = responses

    def named_in(self, name: str) -> frozenset[str]:
        """Returns the usernames in a list."""
        return frozenset(self._named[name])

    def put(self, name: str, *usernames: str) -> None:
        """Puts usernames into a list, as an operator would at the console."""
        self._named[name] |= set(usernames)

    def drop(self, username: str) -> None:
        """Takes a deleted credential out of every list."""
        for usernames in self._named.values():
            usernames.discard(username)

    def add(self, name: str, body: dict[str, object], exists: Callable[[str], bool]) -> Response:
        """Adds credentials; duplicates are ignored."""
        wanted = body.get("credentialNameList")
        if name not in self._named:
            return self._responses.refusal(400, f"RLCL ({name}) is not found!")
        if not isinstance(wanted, list) or not wanted:
            return self._responses.refusal(400, "credentialNameList value can not be empty!")
        missing = next((username for username in wanted if not isinstance(username, str) or not exists(username)), None)
        if missing is not None:
            return self._responses.refusal(400, f"Credential with name ({missing}) is not found in project!")
        self._named[name] |= set(wanted)
        return self._responses.success()
