"""The minimum rights of `rotator` and of the devices in Vault, as policies in HCL.

`config/vault-policy.hcl` is `rotator_policy` for the mount `secret`; a test compares the two.
"""

from collections.abc import Iterable

_HEADER = """\
# The minimum that rotator needs in Vault: its documents and its own token.
# Write it with:  vault policy write rotator vault-policy.hcl
# `{mount}` is vault.mount of the configuration and `{prefix}` is vault.state_prefix.

# The state documents, and what the processes tell each other (the names begin with _). Only rotator may read them:
# they contain staged and replaced passwords. To Vault even their first version is an update, because the number of
# versions to keep is set before it is written.
path "{mount}/data/{prefix}/*" {{
  capabilities = ["read", "update"]
}}

# The number of versions that Vault keeps of a state document (create, update), and the list of all of them (list).
# Nothing else may be set, such as delete_version_after, which would end a state document.
path "{mount}/metadata/{prefix}/*" {{
  capabilities       = ["create", "update", "list"]
  allowed_parameters = {{ "max_versions" = [], "list" = [] }}
}}

# The audit: what is older than audit.keep is removed. Leave the rule out to keep every record for ever.
path "{mount}/metadata/{prefix}/_audit/*" {{
  capabilities = ["create", "update", "list", "delete"]
}}

# Whether the mount deletes by itself what is written (delete_version_after): rotator refuses to start on one that does.
path "{mount}/config" {{
  capabilities = ["read"]
}}
"""

_CONSUMER = """
# The consumer documents, which devices read: one rule for each folder in the targets' `path`.
path "{mount}/data/{path}" {{
  capabilities = ["create", "read", "update"]
}}
"""

_NO_KEYS = """
# Only if keys of provider accounts are in Vault, such as {{vault: {{path: rotator/keys/vobiz, key: auth_token}}}}:
# path "{mount}/data/rotator/keys/*" {{
#   capabilities = ["read"]
# }}
"""

_KEY = """
# A key of a provider account.
path "{mount}/data/{path}" {{
  capabilities = ["read"]
}}
"""

_OWN = """
# The token itself: its lifetime, renewal, end, and capabilities. Before a provider gets a new password, rotator checks
# that it may write the consumer document.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}

path "sys/capabilities-self" {
  capabilities = ["update"]
}
"""

_READER = """\
path "{mount}/data/{path}" {{
  capabilities = ["read"]
}}
"""

_NO_STATE = """\
path "{mount}/data/{prefix}/*" {{
  capabilities = ["deny"]
}}
"""


LOGINS_POLICY = """\
path "auth/approle/role" {
  capabilities = ["list"]
}

path "auth/approle/role/device-*" {
  capabilities = ["create", "read", "update", "delete"]
}

path "auth/approle/role/rotator/secret-id" {
  capabilities = ["update"]
}

path "auth/approle/role/logins/secret-id" {
  capabilities = ["update"]
}

path "sys/policies/acl/device-*" {
  capabilities = ["create", "update", "delete"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}
"""
"""The policy of whoever makes the logins of an embedded server."""


def rotator_policy(mount: str, state_prefix: str, consumer_paths: Iterable[str], key_paths: Iterable[str] = ()) -> str:
    """Returns the policy of `rotator`.

    Args:
        consumer_paths: are below the mount and may end in `*`, such as "sip/*".
        key_paths: the documents with keys of provider accounts, likewise.
    """
    rules = [_CONSUMER.format(mount=mount, path=path) for path in consumer_paths]
    keys = [_KEY.format(mount=mount, path=path) for path in key_paths] or [_NO_KEYS.format(mount=mount)]
    return "".join((_HEADER.format(mount=mount, prefix=state_prefix), *rules, *keys, _OWN))


def consumer_policy(mount: str, state_prefix: str, consumer_paths: Iterable[str]) -> str:
    """Returns the policy of a device: it reads the consumer documents, and never a state document."""
    rules = [_READER.format(mount=mount, path=path) for path in consumer_paths]
    return "".join(rules) + _NO_STATE.format(mount=mount, prefix=state_prefix) + _OWN
