"""`rotator` as a process that compares its accounts as soon as it runs, and not ten minutes later. Run as a script."""

from datetime import timedelta

from rotator.cli import main
from rotator.daemon import account_watch

if __name__ == "__main__":
    account_watch._AFTER_START = timedelta()
    main()
