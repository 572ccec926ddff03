"""What a daemon tells of its accounts: what they have and no document names, and what a check left at one."""

import json
import time
from datetime import UTC, datetime

import prompt_account_watch
from command_runner import LOBBY, create_credentials
from daemon_environment import OTHER_ACCOUNT, DaemonEnvironment
from polling import eventually

from rotator.core.evidence import AccountEvidence, Scratch
from rotator.core.model import Credential
from rotator.core.secret import Secret
from rotator.settings import load


def test_the_metrics_of_accounts_are_kept_fresh_also_of_one_without_targets(environment: DaemonEnvironment):
    create_credentials(environment, "lobby")
    environment.sandbox.accounts[OTHER_ACCOUNT].create("credential", "somebody", Secret("Vbz!2025$SecureP"))
    environment.configure([LOBBY])
    accounts = json.loads(environment.config.read_text())["providers"]
    both = {**accounts, "other": accounts["vobiz"] | {"auth_id": OTHER_ACCOUNT}}
    environment.configure([LOBBY], providers=both)
    account = load(environment.config, environment.variables).providers["other"]
    key = f"{account.type}-{account.account_key}"
    left = Scratch(Credential("other", "rotchk1", attempt="a1"), datetime.now(UTC))
    environment.vault.store.write_evidence(key, AccountEvidence(1, scratch=(left,)))
    gone = Scratch(Credential("gone", "rotchk2", attempt="a2"), datetime.now(UTC))
    environment.vault.store.write_evidence("vobiz-gone", AccountEvidence(1, scratch=(gone,)))
    began = time.time()

    daemon = environment.start(prompt_account_watch.__file__)
    eventually(
        lambda: daemon.metric('rotator_account_scratch_credentials{account="other"}') == 1, "what a check left", 60
    )
    eventually(lambda: daemon.metric('rotator_orphans{kind="check"}') == 1, "what nobody would remove", 60)
    assert json.loads(daemon.get("/status"))["summary"]["orphans"] == 1
    found = 'rotator_account_credentials{account="%s",finding="%s"}'
    eventually(lambda: daemon.metric(found % ("other", "foreign")) == 1, "what nobody named", 120)
    eventually(lambda: daemon.metric(found % ("vobiz", "foreign")) == 0, "the other account, likewise", 120)
    for name in both:
        assert daemon.metric(f'rotator_account_reconciled_timestamp_seconds{{account="{name}"}}') > began - 2
    assert daemon.metric("rotator_reconcile_interval_seconds") == 86_400
    compared = [line for line in daemon.events() if line["event"] == "account compared with the documents"]
    assert sorted(line["account"] for line in compared) == ["other", "vobiz"]
    assert daemon.stop() == 0
