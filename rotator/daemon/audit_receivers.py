"""The audit's receivers elsewhere, as the configuration wants them."""

from collections.abc import Sequence

from rotator.daemon.audit_http import HttpSink
from rotator.observe.audit import AuditError, Sink
from rotator.observe.audit_syslog import SyslogSink
from rotator.ports import Clock
from rotator.providers.http.transport import trusted
from rotator.settings.audit import AuditSettings


def receivers(settings: AuditSettings, clock: Clock) -> Sequence[Sink]:
    """Returns the configured receivers, none of which is connected to yet. Raises AuditError."""
    sinks: list[Sink] = []
    if (syslog := settings.syslog) is not None:
        trust = syslog.context if syslog.transport == "tls" else None
        sinks.append(SyslogSink(syslog.address, syslog.facility.number, trust, clock))
    if (http := settings.http) is not None:
        try:
            trusts = trusted(http.ca_file)
        except ValueError as error:
            raise AuditError(f"audit.http.ca_file: {error}") from None
        sinks.append(HttpSink(http.url, http.authorization, trusts, http.proxy, clock))
    return sinks
