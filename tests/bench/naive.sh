#!/usr/bin/env bash
# The same as naive.py with bash and curl, as a cron job would: bash naive.sh ROTATIONS
set -euo pipefail
for ((number = 0; number < $1; number++)); do
  password=$(head -c 16 /dev/urandom | base64 | tr -dc 'A-Za-z0-9')
  curl -fsS -o /dev/null -X PUT -H 'X-Auth-ID: MA_BENCH' -H "X-Auth-Token: $VOBIZ_TOKEN" \
    -d "{\"password\": \"$password\"}" "$BENCH_VOBIZ/credentials/id-$((number + 1))"
  curl -fsS -o /dev/null -X POST -H "X-Vault-Token: $BENCH_TOKEN" \
    -d "{\"data\": {\"username\": \"phone$number\", \"password\": \"$password\"}}" \
    "$BENCH_VAULT/v1/secret/data/naive/$number"
done
