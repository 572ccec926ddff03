# The rights of rotator in Vault, and no others: two kinds of documents and its own token.
# Install it with:  vault policy write rotator vault-policy.hcl
# `secret` is vault.mount in the configuration and `rotator/state` is vault.state_prefix.

# The state documents. Only rotator reads them: they hold passwords that are not in force yet. To Vault even their first
# version is an update, because rotator sets the number of versions to keep before.
path "secret/data/rotator/state/*" {
  capabilities = ["read", "update"]
}

# The number of versions that Vault keeps of a state document (create, update), and the list of the documents (list).
path "secret/metadata/rotator/state/*" {
  capabilities = ["create", "update", "list"]
}

# The consumer documents, which devices read: one rule for each place that the targets' `path` names.
path "secret/data/sip/*" {
  capabilities = ["create", "read", "update"]
}

# Keys of provider accounts that are stored in Vault, such as {vault: {path: rotator/keys/vobiz, key: auth_token}}:
# path "secret/data/rotator/keys/*" {
#   capabilities = ["read"]
# }

# Its own token: the remaining lifetime, the renewal, and the capabilities: rotator checks that it may write a consumer
# document before a provider hears of a new password.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "sys/capabilities-self" {
  capabilities = ["update"]
}
