"""Takes up the credentials of imported targets, each as `rotator adopt` does."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock

from rotator.cli.adopt import take_up
from rotator.cli.asking import Ringer, ask
from rotator.cli.context import CommandContext
from rotator.cli.exits import CommandError
from rotator.cli.options import Why
from rotator.cli.progress import ProgressObserver
from rotator.core.adoption import AdoptionImpossible, AdoptionRefused, KnownToOperator
from rotator.core.bell import Ringing
from rotator.core.model import Purpose, Request
from rotator.ports import StoreError
from rotator.settings.import_plan import ImportRow

_MOST_REFUSED = 5
_STOPPED = "stopped: the same command goes on"
_TOO_MANY = f"{_MOST_REFUSED} passwords in a row were refused: correct the source, and run the import again"


class AdoptionResult(StrEnum):
    """What became of a row."""

    ADOPTED = "adopted"
    BEFORE = "adopted before"
    REQUESTED = "adopted, rotation requested"
    FAILED = "failed"
    LEFT = "not done"


@dataclass(frozen=True, slots=True)
class AdoptedRow:
    """One target, and what became of its adoption."""

    name: str
    result: AdoptionResult
    message: str = ""
    unknown_password: bool = False  # only a take-over writes over its document


def adopt_rows(
    context: CommandContext, rows: Sequence[ImportRow], why: Why, progress: ProgressObserver, *, rotate: bool
) -> list[AdoptedRow]:
    """Takes up what the rows name, unless something is published already.

    Args:
        rotate: ask for a rotation of each, which a daemon carries out; then its password need not be known.
    """
    targets = {target.name: target for target in context.components.targets}
    progress.begins("taken up", len(rows))
    refused = _RefusedInARow()

    def adopt(row: ImportRow) -> AdoptedRow:
        name = row.name
        if refused.too_many:
            return AdoptedRow(name, AdoptionResult.LEFT, _TOO_MANY)
        try:
            done = _adopted(context, row, why, rotate=rotate)
        except AdoptionRefused as error:
            refused.learn(was_refused=True)
            return AdoptedRow(name, AdoptionResult.FAILED, str(error))
        except (AdoptionImpossible, CommandError, StoreError) as error:
            if context.stop.is_set():
                return AdoptedRow(name, AdoptionResult.LEFT, _STOPPED)
            return AdoptedRow(name, AdoptionResult.FAILED, str(error).removeprefix(f"{name}: "))
        else:
            if done.result is AdoptionResult.ADOPTED:
                refused.learn(was_refused=False)
            return done
        finally:
            progress.advance()

    done = context.each(adopt, rows)
    if not rotate:
        return done
    asked = [each for each in done if each.result is AdoptionResult.ADOPTED]
    failed: dict[str, str] = {}
    ringer = Ringer(context, Ringing.ASKED)
    for take_over in (False, True):
        some = [targets[each.name] for each in asked if each.unknown_password is take_over]
        origin, now = context.composition.asked_by, context.composition.clock.now()
        request = Request(Purpose.ROTATE, origin, why.reason, now, take_over=take_over, stated=why.stated)
        failed |= {report.target.name: report.message for report in ask(context, some, request, ringer)[1]}
    return [_after_request(each, failed) for each in done]


class _RefusedInARow:
    """Counts refused passwords that follow each other: registrars lock out addresses from which many come."""

    def __init__(self) -> None:
        self._lock, self._number = Lock(), 0

    @property
    def too_many(self) -> bool:
        """True if the passwords of the source are probably not those of the account."""
        return self._number >= _MOST_REFUSED

    def learn(self, *, was_refused: bool) -> None:
        """Counts one that was tried."""
        with self._lock:
            if not self.too_many:  # once is enough, whatever was under way
                self._number = self._number + 1 if was_refused else 0


def _adopted(context: CommandContext, row: ImportRow, why: Why, *, rotate: bool) -> AdoptedRow:
    engine, name = context.components.engine, row.name
    if context.stop.is_set():
        return AdoptedRow(name, AdoptionResult.LEFT, _STOPPED)
    target = context.components.by_name[name]
    if engine.facts(target).state.published is not None:
        return AdoptedRow(name, AdoptionResult.BEFORE)
    known = KnownToOperator(None, row.password, rotate)
    plan = engine.plan_adoption(target, known)
    take_up(context, target, known, plan, why)
    return AdoptedRow(name, AdoptionResult.ADOPTED, unknown_password=plan.credential.password is None)


def _after_request(adopted: AdoptedRow, failed: dict[str, str]) -> AdoptedRow:
    if adopted.result is not AdoptionResult.ADOPTED:
        return adopted
    if adopted.name in failed:
        return AdoptedRow(
            adopted.name, AdoptionResult.FAILED, f"adopted, but: {failed[adopted.name]}: rotator rotate {adopted.name}"
        )
    return AdoptedRow(adopted.name, AdoptionResult.REQUESTED)
