# All that rotator needs in Vault, and nothing more: two kinds of documents and its own token.
# Write it with:  vault policy write rotator vault-policy.hcl
# `secret` is vault.mount of the configuration and `rotator/state` is vault.state_prefix.

# The state documents. Only rotator may read them: they hold staged and replaced passwords. To Vault even their first
# version is an update, because the number of versions to keep is set before it is written.
path "secret/data/rotator/state/*" {
  capabilities = ["read", "update"]
}

# The number of versions of a state document that Vault keeps (create, update), and the names of all of them (list).
path "secret/metadata/rotator/state/*" {
  capabilities = ["create", "update", "list"]
}

# The consumer documents, which devices read: one rule for each folder that the targets name in `path`.
path "secret/data/sip/*" {
  capabilities = ["create", "read", "update"]
}

# Only if keys of provider accounts are in Vault, such as {vault: {path: rotator/keys/vobiz, key: auth_token}}:
# path "secret/data/rotator/keys/*" {
#   capabilities = ["read"]
# }

# Its own token: how long it lasts, renewing it, and what it may do. Before a provider hears of a new password, rotator
# asks whether it may write the consumer document.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "sys/capabilities-self" {
  capabilities = ["update"]
}
