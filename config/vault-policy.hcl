# The minimum that rotator needs in Vault: its documents and its own token.
# Write it with:  vault policy write rotator vault-policy.hcl
# `secret` is vault.mount of the configuration and `rotator/state` is vault.state_prefix.

# The state documents, and what the processes tell each other (the names begin with _). Only rotator may read them:
# they contain staged and replaced passwords. To Vault even their first version is an update, because the number of
# versions to keep is set before it is written.
path "secret/data/rotator/state/*" {
  capabilities = ["read", "update"]
}

# The number of versions that Vault keeps of a state document (create, update), and the list of all of them (list).
# Nothing else may be set, such as delete_version_after, which would end a state document.
path "secret/metadata/rotator/state/*" {
  capabilities       = ["create", "update", "list"]
  allowed_parameters = { "max_versions" = [], "list" = [] }
}

# The audit: what is older than audit.keep is removed. Leave the rule out to keep every record for ever.
path "secret/metadata/rotator/state/_audit/*" {
  capabilities = ["create", "update", "list", "delete"]
}

# Whether the mount deletes by itself what is written (delete_version_after): rotator refuses to start on one that does.
path "secret/config" {
  capabilities = ["read"]
}

# The consumer documents, which devices read: one rule for each folder in the targets' `path`.
path "secret/data/sip/*" {
  capabilities = ["create", "read", "update"]
}

# Only if keys of provider accounts are in Vault, such as {vault: {path: rotator/keys/vobiz, key: auth_token}}:
# path "secret/data/rotator/keys/*" {
#   capabilities = ["read"]
# }

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
