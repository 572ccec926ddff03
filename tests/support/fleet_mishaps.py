"""What happens to a simulated fleet by itself: clocks, faults, processes that end or have the wrong key."""

from datetime import timedelta
from random import Random

from engine_harness import DAY
from fleet_accounts import FOR_GOOD, Trouble
from fleet_processes import FleetProcess
from fleet_world import FleetWorld
from simulated_accounts import RequestFault

from rotator.ports import StoreUnavailable

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


# -- clocks


def clock_of_one_process(world: FleetWorld, name: str, rng: Random) -> str | None:
    process = rng.choice(world.processes)
    world.store.ahead = timedelta()
    process.clock.offset = _offset(rng)
    world.plan_all(process)
    return f"{process.name}'s clock is off by {process.clock.offset}"


def clocks_of_all_processes(world: FleetWorld, name: str, rng: Random) -> str | None:
    offset = _offset(rng)
    for process in world.processes:
        process.clock.offset = offset
    return _clocks(world, f"the clocks of all processes are off by {offset}", vault=timedelta())


def clock_of_vault(world: FleetWorld, name: str, rng: Random) -> str | None:
    for process in world.processes:
        process.clock.offset = timedelta()
    return _clocks(world, "Vault's clock is off", vault=_offset(rng))


def clocks_are_right(world: FleetWorld, name: str, rng: Random) -> str | None:
    if not any([world.store.ahead, *(process.clock.offset for process in world.processes)]):
        return None
    for process in world.processes:
        process.clock.offset = timedelta()
    return _clocks(world, "all clocks are right", vault=timedelta())


def _clocks(world: FleetWorld, what: str, vault: timedelta) -> str:
    """Either Vault's clock is right or those of the processes are: nobody could tell if both were wrong."""
    world.store.ahead = vault
    world.look_at_all()
    return what


def _offset(rng: Random) -> timedelta:
    size = rng.choice((5 * MINUTE, 26 * HOUR, 3 * DAY, 40 * DAY))
    return size * rng.choice((-1, 1))


# -- faults


def account_fails(world: FleetWorld, name: str, rng: Random) -> str | None:
    fault = rng.choice([one for one in RequestFault if one not in (RequestFault.FORBIDDEN, RequestFault.REFUSED)])
    return _trouble(world, name, rng, Trouble(fault, world.clock.now() + _while(rng), rng.choice((0.1, 0.5, 1.0))))


def account_refuses_a_verb(world: FleetWorld, name: str, rng: Random) -> str | None:
    methods = frozenset({rng.choice(("DELETE", "PUT", "PATCH", "POST", "GET"))})
    fault = rng.choice((RequestFault.FORBIDDEN, RequestFault.REFUSED))
    return _trouble(world, name, rng, Trouble(fault, world.clock.now() + 20 * _while(rng), 1.0, methods))


def account_is_gone_for_long(world: FleetWorld, name: str, rng: Random) -> str | None:
    fault = rng.choice((RequestFault.UNAUTHORIZED, RequestFault.UNREACHABLE))
    return _trouble(world, name, rng, Trouble(fault, world.clock.now() + rng.choice((5, 20, 60)) * DAY))


def account_fails_now_and_then(world: FleetWorld, name: str, rng: Random) -> str | None:
    """A few requests, whenever they come: a fault that lasts minutes meets hardly any work."""
    fault = rng.choice([one for one in RequestFault if one is not RequestFault.REFUSED])
    until = world.clock.now() + 10 * DAY
    trouble = Trouble(fault, until, rng.choice((0.3, 1.0)), left=rng.choice((1, 2, 5)))
    return _trouble(world, name, rng, trouble)


def _trouble(world: FleetWorld, name: str, rng: Random, trouble: Trouble) -> str:
    account = rng.choice(list(world.accounts.values()))
    account.begin(trouble)
    methods = f" to {' '.join(sorted(trouble.methods))}" if trouble.methods else ""
    return f"{account.name}: {trouble.fault.value}{methods} until {trouble.until:%Y-%m-%d %H:%M}"


def _while(rng: Random) -> timedelta:
    return rng.choice((MINUTE, 20 * MINUTE, 3 * HOUR, DAY)) * (0.5 + rng.random())


def account_never_comes_back(world: FleetWorld, name: str, rng: Random) -> str | None:
    """An account of two is lost for good: what is there can be neither used nor ended."""
    lost = rng.choice(("vobiz-a", "telnyx-b", "apinizer-b"))
    if any(account.is_lost for account in world.accounts.values()):
        return None
    fault = rng.choice((RequestFault.UNAUTHORIZED, RequestFault.UNREACHABLE))
    world.accounts[lost].begin(Trouble(fault, world.clock.now() + FOR_GOOD))
    return f"{lost} never comes back: {fault.value}"


def call_is_active(world: FleetWorld, name: str, rng: Random) -> str | None:
    account = rng.choice(list(world.accounts.values()))
    account.provider.start_call_on(rng.randrange(100))
    call = next(reversed(account.provider.account._calls))
    world.later(_while(rng), lambda: account.provider.account._calls.pop(call, None))
    return f"a call is active at {account.name}"


def registrar_does_not_follow(world: FleetWorld, name: str, rng: Random) -> str | None:
    """What is set or created by the API is accepted only hours later; what it replaced is refused at once."""
    account = rng.choice([one for one in world.accounts.values() if not one.name.startswith("apinizer")])
    until = world.clock.now() + _while(rng)
    account.stop_registrar_following(until)
    return f"the registrar of {account.name} does not follow until {until:%Y-%m-%d %H:%M}"


def vault_fails(world: FleetWorld, name: str, rng: Random) -> str | None:
    world.store.unavailable_until = world.clock.now() + _while(rng)
    return f"Vault is sealed until {world.store.unavailable_until:%Y-%m-%d %H:%M}"


def vault_loses_an_answer(world: FleetWorld, name: str, rng: Random) -> str | None:
    world.store.losing = [StoreUnavailable("the answer was lost")] * rng.choice((1, 2))
    return "Vault loses an answer"


def standby_lags(world: FleetWorld, name: str, rng: Random) -> str | None:
    world.store.lags = [rng.random() < 0.7 for _ in range(rng.randrange(1, 6))]
    return "a standby lags"


# -- processes


def process_crashes(world: FleetWorld, name: str, rng: Random) -> str | None:
    """In the middle of an effect, if one is under way: the next look dies at one of its boundaries."""
    process = rng.choice(world.processes)
    process.crash_after = rng.randrange(1, 30)
    return f"{process.name} will die"


def process_restarts(world: FleetWorld, name: str, rng: Random) -> str | None:
    process: FleetProcess = rng.choice(world.processes)
    away = rng.choice((MINUTE, HOUR, 2 * DAY)) * rng.random()
    world.restart(process, away)
    return f"{process.name} restarts in {away}"


def process_has_another_key(world: FleetWorld, name: str, rng: Random) -> str | None:
    """The key and the id of another account come under an account's name: the wrong secret was mounted."""
    kind = rng.choice(("vobiz", "apinizer"))
    meant, by_mistake = rng.sample((f"{kind}-a", f"{kind}-b"), 2)
    process = rng.choice(world.processes)
    mistaken = {meant: by_mistake}
    process.keys, world.had_another_key = mistaken, True
    world.restart(process, MINUTE)

    def corrected() -> None:
        if process.keys is mistaken:  # not by the next mistake, which is corrected in its own time
            process.keys = {}
            world.restart(process, MINUTE)
            world.plan_all(process)  # what it held because of the wrong key it looks at again, as at each start

    world.later(20 * _while(rng), corrected)
    return f"{process.name} has the key of {by_mistake} under {meant}"
