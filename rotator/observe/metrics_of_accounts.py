"""Metrics of provider accounts: what was asked of them, checked, listed and held off."""

from rotator.observe.described import Described

OF_ACCOUNTS = (
    Described(
        "rotator_selection_credentials",
        "gauge",
        ("account", "what"),
        "What the last listing showed for the selections over an account: selected targets; gone (of those that this "
        "process looks at, the credential in use is not listed); unnamable (the username cannot be in a name); "
        "undecided (a rotation may have made it).",
    ),
    Described(
        "rotator_selection_listed_timestamp_seconds",
        "gauge",
        ("account",),
        "When an account with selections was last listed as a whole.",
    ),
    Described(
        "rotator_account_checked_timestamp_seconds",
        "gauge",
        ("account", "how"),
        "When `rotator check-provider` last checked the account: read, or write (with --write, to its end). Absent if "
        "it never did.",
    ),
    Described(
        "rotator_account_assumptions",
        "gauge",
        ("account", "shown"),
        "What checks of the account have shown of the assumptions that rotations rest on: how many hold, do not hold "
        "(does_not), or were looked at and not shown.",
    ),
    Described(
        "rotator_account_scratch_credentials",
        "gauge",
        ("account",),
        "Credentials that a check of the account works on, or has left behind: made by it, or with a password that it "
        "set.",
    ),
    Described(
        "rotator_account_credentials",
        "gauge",
        ("account", "finding"),
        "What the last comparison of the account's listing with the documents found, by a daemon or by `rotator "
        "reconcile`: foreign, orphaned, missing, changed, duplicate, never_rotated. Accounts with one listing have the "
        "same.",
    ),
    Described(
        "rotator_account_reconciled_timestamp_seconds",
        "gauge",
        ("account",),
        "When that was: the last time that the whole listing was compared with the documents.",
    ),
    Described(
        "rotator_reconcile_interval_seconds",
        "gauge",
        (),
        "How often the daemons do that (`daemon.reconcile`); absent if they do not.",
    ),
    Described(
        "rotator_account_key_made_timestamp_seconds",
        "gauge",
        ("account",),
        "When the account's own key was made, by `key_dates` or by the key itself; absent if nobody knows.",
    ),
    Described(
        "rotator_account_key_expiry_timestamp_seconds",
        "gauge",
        ("account",),
        "When the account's own key expires, likewise.",
    ),
    Described(
        "rotator_account_key_max_age_seconds", "gauge", ("account",), "How old it may become, by `key_dates.max_age`."
    ),
    Described(
        "rotator_account_held_seconds",
        "gauge",
        ("account",),
        "For how long the provider still asks to send nothing to an account (Retry-After, an exhausted quota); 0 if it "
        "does not.",
    ),
    Described(
        "rotator_account_rate_share",
        "gauge",
        ("account",),
        "The share of `rate_limit` that is used at most: less than 1 after answers 429, although the limit was kept.",
    ),
    Described(
        "rotator_circuit_open",
        "gauge",
        ("account",),
        "1 while a provider account's circuit is open (too many calls failed in a row; only probes are sent), else 0.",
    ),
    Described(
        "rotator_provider_verb_forbidden",
        "gauge",
        ("account", "verb"),
        "1 while calls of one verb are refused for a missing right (403), as many in a row as open a circuit; absent "
        "otherwise.",
    ),
    Described(
        "rotator_provider_requests_total",
        "counter",
        ("account", "verb", "outcome"),
        "Requests to providers since start, by outcome: a status code, a network error, or foreign_binding (a proof).",
    ),
    Described(
        "rotator_provider_request_duration_seconds",
        "histogram",
        ("account", "verb"),
        "Duration of requests to providers, since start.",
    ),
)
