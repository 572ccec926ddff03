"""The part of a check that only reads: the API, the key, the clock, the listing, the targets' credentials."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta

from rotator.core import evidence as known
from rotator.core.answers import Answer, Done, Refused
from rotator.core.exchanges import ProviderExchange, outcomes, uneven_fields
from rotator.core.model import Attachment, Credential, Target
from rotator.core.selection import ListedCredential
from rotator.engine.check_results import CheckResults
from rotator.engine.provider_caller import message_of
from rotator.ports import Clock, Provider

_CLOCK_TOLERANCE = timedelta(seconds=60)
_SOON_ENDED = timedelta(days=14)
_MOST_NAMED = 5
_MOST_ASKED_FOR = 3  # credentials of targets
COVERED = tuple(
    one.key
    for one in (
        known.CONNECTS,
        known.KEY,
        known.CLOCK,
        known.LISTS,
        known.GETS,
        known.USERNAMES,
        known.SHOWS_PASSWORDS,
        known.SHOWS_ATTACHMENTS,
        known.TRUNK_ASKS,
        known.SHOWS_USAGE,
        known.ANSWERS,
    )
)
"""The keys of what reading shows, or could."""


class AccountReading:
    """Reads an account, and judges what it shows."""

    def __init__(self, account: str, provider: Provider, clock: Clock, results: CheckResults) -> None:
        """Prepares the reading of the account with this name in the configuration."""
        self._account, self._provider, self._clock, self._results = account, provider, clock, results
        self.found: tuple[Credential, ...] = ()
        """The credentials of the targets that the account has."""
        self.trunk = ""
        """Where what a trunk names is let in, if passwords are tried there; empty: unknown."""

    def read(self, targets: Sequence[Target]) -> bool:
        """Reads everything. Returns False if nothing can be asked of the account."""
        listed: list[ListedCredential] = []
        with self._results.watching() as seen:
            answer = self._provider.each(listed.append)
        usable = self._judge_connection(answer, seen)
        self._judge_clock(seen)
        self._judge_listing(answer, listed, seen)
        if usable:
            self._look_up(targets, listed, whole=isinstance(answer, Done))
        return usable

    def _judge_connection(self, answer: Answer[None], seen: Sequence[ProviderExchange]) -> bool:
        answered = [one for one in seen if one.status is not None]
        if not answered:
            self._results.does_not(known.CONNECTS, message_of(answer))
            return False
        self._results.holds(known.CONNECTS, self._connection_in_words(answered[-1]))
        if isinstance(answer, Refused) and answer.why.concerns_account:
            self._results.does_not(known.KEY, message_of(answer))
            return False
        if any(one.ok for one in answered):
            self._results.holds(known.KEY, outcomes(answered[:1]))
            return True
        self._results.not_shown(known.KEY, message_of(answer))
        return False

    def _connection_in_words(self, last: ProviderExchange) -> str:
        words = [f"at {last.peer}"] if last.peer else []
        ends = last.certificate_ends
        if ends is not None:
            soon = ", which is soon" if ends - self._clock.now() < _SOON_ENDED else ""
            words.append(f"certificate by {last.issuer or 'an unnamed issuer'} until {ends:%Y-%m-%d}{soon}")
        return ", ".join(words) or "it answers"

    def _judge_clock(self, seen: Sequence[ProviderExchange]) -> None:
        dated = [one.date for one in seen if one.date is not None]
        if not dated:
            self._results.not_shown(known.CLOCK, "its answers have no date")
            return
        apart = dated[-1] - self._clock.now()
        seconds = apart.total_seconds()
        words = f"the provider's clock is {abs(seconds):.0f} s {'ahead' if seconds > 0 else 'behind'}"
        if abs(apart) <= _CLOCK_TOLERANCE:
            self._results.holds(known.CLOCK, words)
        else:
            self._results.does_not(known.CLOCK, f"{words}: ends that are told in advance come at another time")

    def _judge_listing(
        self, answer: Answer[None], listed: Sequence[ListedCredential], seen: Sequence[ProviderExchange]
    ) -> None:
        pages = [one for one in seen if one.verb == "list" and one.ok]
        seconds = sum(one.seconds for one in seen)
        fields = list(dict.fromkeys(field for one in pages for field in uneven_fields(one.received)))
        odd = f"; not alike in all entries: {', '.join(fields[:_MOST_NAMED])}" if fields else ""
        if not isinstance(answer, Done):
            self._results.does_not(known.LISTS, f"{message_of(answer)}{odd}")
            return
        largest = max((one.entries or 0 for one in pages), default=0)
        number = len({one.id for one in listed})
        size = f"{number} credentials in {len(pages)} requests, {largest} at most in one"
        self._results.holds(known.LISTS, f"{size}, {seconds:.1f} s{odd}", seconds)

    # -- the targets' credentials

    def _look_up(self, targets: Sequence[Target], listed: Sequence[ListedCredential], *, whole: bool) -> None:
        """Compares usernames with the listing, and asks for some of them as a rotation does."""
        wanted = tuple(dict.fromkeys(name for target in targets if not target.new for name in target.usernames))
        there = {one.username: one for one in listed}
        some = [name for name in wanted if name in there][:_MOST_ASKED_FOR] if whole else wanted[:_MOST_ASKED_FOR]
        found: list[Credential] = []
        with self._results.watching() as seen:
            for username in some:
                identity = there[username].id if username in there else None
                answer = self._provider.find(Credential(self._account, username, identity))
                found += [one for one in answer.value if one.username == username] if isinstance(answer, Done) else []
            if not some and listed:
                self._provider.find(Credential(self._account, listed[0].username, listed[0].id))
        self.found = tuple(found)
        if whole:
            self._judge_usernames(wanted, there)
        else:
            self._results.not_shown(known.USERNAMES, "the listing was not read to its end")
        self._judge_get(seen)
        self._judge_passwords(found)
        self._judge_attachments(found)
        self._judge_usage(found)

    def _judge_usernames(self, wanted: Sequence[str], there: Collection[str]) -> None:
        missing = [name for name in wanted if name not in there]
        if not wanted:
            self._results.not_shown(known.USERNAMES, "no target names a username that has to be there")
        elif missing:
            folded = {name.casefold(): name for name in there}
            others = [(name, folded.get(name.casefold())) for name in missing[:_MOST_NAMED]]
            named = [f"{name}: it is {other} there" if other else f"{name} is not there" for name, other in others]
            more = f"; and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
            self._results.does_not(known.USERNAMES, "; ".join(named) + more)
        else:
            self._results.holds(known.USERNAMES, f"{len(wanted)} of {len(wanted)} are listed")

    def _judge_get(self, seen: Sequence[ProviderExchange]) -> None:
        asked = [one for one in seen if one.verb == "get"]
        if not asked:
            self._results.not_shown(known.GETS, "no page of the provider has such a request, or there is no credential")
        elif any(one.ok for one in asked):
            self._results.holds(known.GETS, outcomes(asked[:1]))
        else:
            self._results.does_not(known.GETS, f"{outcomes(asked[:1])}: the listing is read instead")

    def _judge_passwords(self, found: Sequence[Credential]) -> None:
        if not self._provider.capabilities.shows_password:
            return
        if not found:
            self._results.not_shown(known.SHOWS_PASSWORDS, "there is no credential of a target to look at")
        elif all(one.password is not None for one in found):
            self._results.holds(known.SHOWS_PASSWORDS, f"of {len(found)} credentials")
        else:
            masked = sum(one.password is None for one in found)
            self._results.does_not(known.SHOWS_PASSWORDS, f"{masked} of {len(found)} are masked or missing")

    def _judge_usage(self, found: Sequence[Credential]) -> None:
        if not self._provider.capabilities.shows_usage:
            return
        if not found:
            self._results.not_shown(known.SHOWS_USAGE, "there is no credential of a target to ask about")
            return
        with self._results.watching():
            answer = self._provider.usage(found[0])
        if isinstance(answer, Done):
            self._results.holds(known.SHOWS_USAGE, f"{found[0].username}: {answer.value.evidence}")
        elif isinstance(answer, Refused):
            self._results.does_not(known.SHOWS_USAGE, message_of(answer))
        else:
            self._results.not_shown(known.SHOWS_USAGE, message_of(answer))

    def _judge_attachments(self, found: Sequence[Credential]) -> None:
        if not self._provider.capabilities.attaches:
            return
        with self._results.watching():
            answer = self._provider.attachments(found)
        if not isinstance(answer, Done):
            self._results.not_shown(known.SHOWS_ATTACHMENTS, message_of(answer))
        elif answer.note:
            self._results.does_not(known.SHOWS_ATTACHMENTS, answer.note)
        else:
            users = {one.id: one.username for one in found}
            named = [f"{one.name} names {users.get(one.credential_id, one.credential_id)}" for one in answer.value]
            words = "; ".join(named[:_MOST_NAMED]) or "none names a credential of a target"
            self._results.holds(known.SHOWS_ATTACHMENTS, words)
        if self._provider.capabilities.proves_attached:
            self._judge_trunks(found, answer.value if isinstance(answer, Done) else ())

    def _judge_trunks(self, found: Sequence[Credential], trunks: Sequence[Attachment]) -> None:
        """Asks for a challenge at the domains of the trunks, without a password."""
        domains = {one.host: one.credential_id for one in trunks if one.host}
        if not domains:
            words = "no trunk that is shown with its domain names a credential of a target"
            self._results.not_shown(known.TRUNK_ASKS, words)
            return
        users, asked = {one.id: one for one in found}, list(domains)[:_MOST_ASKED_FOR]
        answers: dict[str, Answer[None]] = {}
        for domain in asked:
            with self._results.watching():
                answers[domain] = self._provider.can_prove(replace(users[domains[domain]], host=domain))
        asking = [domain for domain, answer in answers.items() if isinstance(answer, Done)]
        self.trunk = next(iter(asking), asked[0])
        judge = self._results.holds if len(asking) == len(answers) else self._results.does_not
        judge(known.TRUNK_ASKS, "; ".join(map(message_of, answers.values())))
