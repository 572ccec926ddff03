"""A process that sends as much as the pace of an account allows, and prints when it was admitted: nothing but the pace.

python paced_process.py ADDRESS TOKEN STATE_PREFIX HOLDER REQUESTS_A_SECOND SECONDS
"""

import json
import sys
import time
from datetime import timedelta
from threading import Event, Thread

from rotator.core.secret import Secret
from rotator.daemon.clock import SystemClock, SystemRandomness
from rotator.fields.network import RateLimit
from rotator.providers.http.rate_limit import Pacer
from rotator.testing import NullMeter
from rotator.vault.auth import Token
from rotator.vault.client import VaultClient
from rotator.vault.store import VaultStore
from rotator.vault.transport import Connection

THREADS = 8
LATENCY = 0.05


def main(address: str, token: str, prefix: str, holder: str, rate: str, seconds: str) -> None:
    """Prints a JSON list of moments of the monotonic clock, which all processes of a machine share."""
    clock = SystemClock(Event())
    method, randomness = Token(Secret(token)), SystemRandomness()
    client = VaultClient(Connection(address), method, clock=clock, randomness=randomness, meter=NullMeter())
    pacer = Pacer(RateLimit(int(rate), timedelta(seconds=1)), clock, VaultStore(client, "secret", prefix), "k", holder)
    admitted: list[float] = []
    end = clock.monotonic() + float(seconds)

    def send() -> None:
        while clock.monotonic() < end:
            if pacer.admit(within=30):
                admitted.append(clock.monotonic())
                time.sleep(LATENCY)

    threads = [Thread(target=send) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(admitted))


if __name__ == "__main__":
    main(*sys.argv[1:])
