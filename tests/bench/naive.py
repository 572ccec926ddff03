"""A naive script: one rotation after the other, a PUT to the provider and a write to Vault, no guarantee of any kind.

python naive.py ROTATIONS
"""

import os
import secrets
import sys

import hvac
import requests


def main() -> None:
    """Rotates."""
    vault = hvac.Client(os.environ["BENCH_VAULT"], os.environ["BENCH_TOKEN"])
    vobiz = requests.Session()
    vobiz.headers.update({"X-Auth-ID": "MA_BENCH", "X-Auth-Token": os.environ["VOBIZ_TOKEN"]})
    for number in range(int(sys.argv[1])):
        password = secrets.token_urlsafe(16)
        url = f"{os.environ['BENCH_VOBIZ']}/credentials/id-{number + 1}"
        vobiz.put(url, json={"password": password}, timeout=30).raise_for_status()
        secret = {"username": f"phone{number}", "password": password}
        vault.secrets.kv.v2.create_or_update_secret(f"naive/{number}", secret)


if __name__ == "__main__":
    main()
