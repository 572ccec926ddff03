"""A made-up provider, added by docs/adding-a-provider.md: the users of a door intercom."""

from example.users import IntercomUsers

KINDS = (IntercomUsers,)
