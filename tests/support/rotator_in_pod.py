"""`rotator` as a process that finds a pod's service account in the folder that POD_FILES names. Run as a script."""

import os
from pathlib import Path

from rotator.cli import main
from rotator.daemon import kubernetes_api

if __name__ == "__main__":
    kubernetes_api.ACCOUNT = Path(os.environ["POD_FILES"])
    main()
