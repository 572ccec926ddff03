"""The checks across sections of the configuration. Each yields its findings; `CHECKS` lists them all."""

from collections.abc import Callable, Iterator

from rotator.settings import (
    account_checks,
    audit_checks,
    grace_checks,
    hook_checks,
    http_checks,
    limit_checks,
    policy_checks,
    selection_checks,
    target_checks,
    usage_checks,
)
from rotator.settings.models import Settings
from rotator.settings.problems import Finding
from rotator.settings.targets import CheckedSettings

CHECKS: tuple[Callable[[CheckedSettings], Iterator[Finding]], ...] = (
    target_checks.names_are_unique,
    target_checks.providers_exist,
    target_checks.policies_exist,
    target_checks.paths_are_unique,
    target_checks.consumers_cannot_read_state,
    target_checks.paths_begin_below_the_mount,
    target_checks.credentials_are_unique,
    target_checks.strategies_are_possible,
    target_checks.credentials_fit_strategies,
    target_checks.usernames_are_valid,
    target_checks.usernames_are_as_documented,
    target_checks.consumers_learn_where_to_dial,
    target_checks.signal_rotates_targets,
    target_checks.in_place_has_no_overlap,
    selection_checks.selections_are_linked,
    selection_checks.selections_are_possible,
    selection_checks.selections_stay_apart,
    account_checks.plain_http_is_allowed,
    account_checks.proxies_carry_tls,
    account_checks.client_certificates_are_usable,
    account_checks.plain_sip_is_allowed,
    account_checks.ports_suit_the_transport,
    account_checks.vault_address_is_bare,
    account_checks.ca_files_hold_certificates,
    account_checks.secret_files_are_private,
    account_checks.token_files_exist,
    account_checks.keys_stay_apart,
    account_checks.stop_lets_a_call_end,
    http_checks.probes_have_their_own_port,
    http_checks.certificate_can_be_used,
    http_checks.token_protects,
    audit_checks.plain_receivers_are_allowed,
    audit_checks.syslog_port_suits_the_transport,
    audit_checks.syslog_certificate_can_be_used,
    policy_checks.passwords_can_be_generated,
    policy_checks.passwords_are_strong,
    policy_checks.passwords_can_be_drawn,
    policy_checks.symbols_are_distinct,
    policy_checks.overlap_outlasts_propagation,
    policy_checks.overlap_ends_before_next_rotation,
    policy_checks.windows_open_often_enough,
    policy_checks.windows_close,
    policy_checks.fleets_begin_in_time,
    policy_checks.blackouts_let_passwords_be_rotated,
    policy_checks.backoff_grows,
    grace_checks.overlaps_outlast_devices,
    grace_checks.propagation_outlasts_digest_caches,
    grace_checks.extensions_outlast_registrations,
    usage_checks.usage_sources_exist,
    usage_checks.providers_show_usage,
    usage_checks.extensions_end_before_next_rotation,
    usage_checks.holds_have_no_limit,
    usage_checks.acknowledgements_stay_apart,
    hook_checks.hooks_exist,
    hook_checks.passwords_are_given_after_rotations,
    hook_checks.keys_can_sign,
    limit_checks.policies_are_only_stricter,
    limit_checks.warnings_come_after_the_beginning,
    limit_checks.passwords_keep_their_limit,
)


def all_findings(settings: Settings) -> tuple[Finding, ...]:
    """Returns the findings of all checks, without duplicates."""
    checked = CheckedSettings(settings)
    return tuple(dict.fromkeys(finding for check in CHECKS for finding in check(checked)))
