"""`rotator` as a process in which a call to a provider ends after 11 s instead of 31, and so a stop as well.

Only the bound is another one: what waits for it waits in real time, and a test would wait as long. Run as a script.
"""

from rotator.cli import main
from rotator.providers.http.client import CallTimeouts

BOUNDS = CallTimeouts(connect=3, read=5, write=5, pool=3, total=10)
CALL = BOUNDS.longest_call.total_seconds()
STOP_WITHIN = CALL + 1  # seconds: the shortest that the configuration's check allows

if __name__ == "__main__":
    CallTimeouts.__init__.__defaults__ = tuple(getattr(BOUNDS, name) for name in CallTimeouts.__slots__)
    main()
