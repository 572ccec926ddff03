"""What belongs to the calls of a thread, however deep in an adapter their requests are sent."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from rotator.core.exchanges import ProviderExchange


@dataclass(frozen=True, slots=True)
class CallTerms:
    """On what terms a provider is called: set around an effect, obeyed where its requests are sent."""

    urgent: bool = False  # goes ahead of every queue, and obeys a wait that the provider asks for only for minutes
    may_send: Callable[[], bool] = lambda: True  # False: it waited so long that another process may do the work now


CALL_TERMS: ContextVar[CallTerms] = ContextVar("call_terms", default=CallTerms())  # noqa: B039  # it is frozen
"""The terms of the calls that this thread makes."""

WITNESS: ContextVar[Callable[[ProviderExchange], object] | None] = ContextVar("witness", default=None)
"""Is told what every request of this thread and its answer looked like; None: nobody watches."""
