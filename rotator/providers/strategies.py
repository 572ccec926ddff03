"""The abilities that each strategy needs of a kind of credential."""

from rotator.core.model import Capabilities, Strategy


def unsupported(strategy: Strategy, can: Capabilities) -> str | None:
    """Returns why `strategy` cannot rotate a kind of credential; None if it can."""
    lacking = [phrase for phrase, able in _needs(strategy, can) if not able]
    if not lacking:
        return None
    possible = [other.value for other in Strategy if all(able for _, able in _needs(other, can))]
    remedy = f"use {' or '.join(possible)}" if possible else "no strategy is possible"
    return f"strategy {strategy.value} needs a provider that {' and '.join(lacking)}, and this one does not; {remedy}"


def _needs(strategy: Strategy, can: Capabilities) -> tuple[tuple[str, bool], ...]:
    match strategy:
        case Strategy.REPLACE:  # disabling may be final: the plan and the status say so
            return (
                ("creates credentials", can.creates),
                ("accepts or generates a password on creation", can.chooses_password or can.generates_password),
                ("disables them", can.disables),
                ("deletes them", can.deletes),
                ("lists them", can.lists),
            )
        case Strategy.ALTERNATING:
            return (
                ("accepts a chosen password", can.chooses_password),
                ("sets the password of an existing credential", can.sets_password),
                ("disables credentials", can.disables),
                ("enables them again", can.re_enables),
                ("lists them", can.lists),
            )
        case Strategy.IN_PLACE:
            return (
                ("sets the password of an existing credential", can.sets_password),
                ("lists credentials", can.lists),
            )
