"""The port of a provider account."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from rotator.core.answers import Answer
from rotator.core.evidence import Assumption
from rotator.core.model import Attachment, Capabilities, Credential, Proof
from rotator.core.selection import ListedCredential
from rotator.core.usage_rules import Usage


class Provider(Protocol):
    """One provider account. Calling a method twice with the same arguments has the effect of calling it once.

    No method raises for a failure of the provider or the network: the `Answer` reports it. Each one ends within
    `longest_call`, whatever the provider does.
    """

    @property
    def capabilities(self) -> Capabilities:
        """The abilities of this kind of credential."""
        ...

    @property
    def identity(self) -> str:
        """The account as the provider knows it, such as its account id: not the configuration's name for it.

        Empty if nothing but the key names it.
        """
        ...

    @property
    def first_forms(self) -> Mapping[str, Assumption]:
        """By verb: what the provider takes if the first form of that verb's request does what it says.

        The pages settle it in none of the two ways, so another form follows where the first one is refused or ignored.
        """
        ...

    @property
    def host(self) -> str:
        """Where devices log in: a SIP host or a gateway's URL. Empty if the account does not tell, or it differs."""
        ...

    @property
    def longest_call(self) -> timedelta:
        """The longest time that a method takes, with retries and waiting for the rate limiter."""
        ...

    def each(self, take: Callable[[ListedCredential], object]) -> Answer[None]:
        """Passes every credential of the account to `take`, as it is read; some may be passed more than once.

        Done only if the whole listing was read. Passes a password only where the listing shows it.
        """
        ...

    def find(self, wanted: Credential) -> Answer[tuple[Credential, ...]]:
        """Looks for `wanted` in the provider's listing, and returns every match, or none.

        Matches by id if `wanted.id` is set, else by username, else (a provider that generates) by the name that
        carries `wanted.attempt`. Returns the empty tuple only if the whole listing was read. The matches contain
        passwords only if the provider shows them.
        """
        ...

    def create(self, staged: Credential, target: str, like: Credential | None = None) -> Answer[Credential]:
        """Creates the credential, enabled, and returns it with its id. The request is never sent twice automatically.

        `Refused(DUPLICATE)` means that the username is taken.

        Args:
            staged: has the chosen username and password; a provider that generates them gets neither, and the
                credential's name carries `staged.attempt`.
            target: the target's name, for names and descriptions.
            like: the credential that it will replace, whose grants, roles and other settings the new one inherits.
        """
        ...

    def complete(self, created: Credential, like: Credential | None = None) -> Answer[Credential]:
        """Finishes a create whose answer was lost: brings its credential to the state in which `create` leaves one.

        `created` has the id that `find` returned. The answer contains the password in force.
        """
        ...

    def set_password(self, credential: Credential) -> Answer[Credential]:
        """Sets `credential.password` on the credential with `credential.id`, and leaves it enabled."""
        ...

    def enable(self, credential: Credential) -> Answer[Credential]:
        """Enables the credential again, with `credential.password` in force and no end set by `expire`."""
        ...

    def attachments(self, of: Collection[Credential]) -> Answer[tuple[Attachment, ...]]:
        """Returns what names one of these credentials, such as a trunk. Called only if `capabilities.attaches`.

        None only if everything was read, or with a note if the account does not show it.
        """
        ...

    def attach(self, credential: Credential, to: Sequence[Attachment]) -> Answer[None]:
        """Makes each of `to` name the credential instead. Called only if `capabilities.attaches`.

        `Done` only if all of them show it. `Refused`: none of them was changed.
        """
        ...

    def usage(self, credential: Credential) -> Answer[Usage]:
        """Returns whether devices are logged in with the credential. Called only if `capabilities.shows_usage`."""
        ...

    def expire(self, credential: Credential, at: datetime) -> Answer[None]:
        """Tells the provider to end the credential at `at` by itself. Called only if `capabilities.expires`."""
        ...

    def disable(self, credential: Credential) -> Answer[None]:
        """Stops the credential from authenticating. `Done` only if the answer or a read-back shows that."""
        ...

    def delete(self, credential: Credential) -> Answer[None]:
        """Removes the credential. `Refused(NOT_FOUND)` if a listing confirms that it no longer existed."""
        ...

    def prove(self, credential: Credential) -> Answer[Proof]:
        """Proves that the provider accepts the credential, and returns the evidence; `Retry(NOT_YET)` if not yet."""
        ...

    def can_prove(self, credential: Credential) -> Answer[None]:
        """Finds out, without a log-in, whether a proof would try the password. `Done` also if nobody can tell."""
        ...

    def log_in(self, credential: Credential) -> Answer[Proof]:
        """Tries the password where devices log in, and nothing else. Called only if the proof tries the password.

        `Done`: it is let in. `Retry(NOT_YET)`: the username or the password is refused. Anything else shows neither.
        """
        ...


Providers = Mapping[str, Provider]
"""The provider accounts by their name in the configuration."""
