# What rotator may do in Vault, and nothing else: two kinds of documents and its own token.
# Write it with:  vault policy write rotator vault-policy.hcl
# `secret` is vault.mount of the configuration and `rotator/state` is vault.state_prefix.

# The state documents. Only rotator reads them: they hold passwords that are not in force yet. To Vault their first
# version is an update already, because how many versions to keep is set before.
path "secret/data/rotator/state/*" {
  capabilities = ["read", "update"]
}

# How many versions of a state document Vault keeps (create, update), and which documents there are (list).
path "secret/metadata/rotator/state/*" {
  capabilities = ["create", "update", "list"]
}

# The consumer documents, which devices read: one rule for each place that `path` of a target names.
path "secret/data/sip/*" {
  capabilities = ["create", "read", "update"]
}

# Where keys of provider accounts lie in Vault, such as {vault: {path: rotator/keys/vobiz, key: auth_token}}:
# path "secret/data/rotator/keys/*" {
#   capabilities = ["read"]
# }

# Its own token: what is left of it, renewing it, and what it may do: whether a consumer document can be written is
# asked before a provider hears of a new password.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "sys/capabilities-self" {
  capabilities = ["update"]
}
