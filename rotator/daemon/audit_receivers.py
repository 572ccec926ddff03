"""The audit's destinations other than Vault, as the configuration wants them."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TextIO

from rotator.daemon.audit_http import HttpSink
from rotator.observe.audit import AuditError, AuditLog, Sink
from rotator.observe.audit_sinks import FileSink, StreamSink
from rotator.observe.audit_syslog import SyslogSink
from rotator.observe.redact import Redactor
from rotator.ports import Clock, Randomness
from rotator.providers.http.transport import trusted
from rotator.settings.audit import AuditSettings


def begin_audit(
    settings: AuditSettings,
    clock: Clock,
    randomness: Randomness,
    redactor: Redactor,
    end: ExitStack,
    *,
    read_only: bool,
    quiet: bool,
    prints_file: bool = False,
) -> AuditLog:
    """Returns the audit, with every destination but Vault. Raises AuditError.

    Args:
        end: closes the connections at the end of the process.
        read_only, quiet, prints_file: see `Composition`.
    """
    sink = _local(settings, read_only=read_only, quiet=quiet)
    # At a terminal, and where both outputs are one log, the records would bury the result, and Vault has them.
    buries = quiet and settings.file is None and (prints_file or sys.stderr.isatty())
    remote = () if read_only else receivers(settings, clock)
    for each in remote:
        end.callback(each.close)
    return AuditLog(
        () if buries else (sink,),
        clock,
        randomness,
        redactor,
        remote=remote,
        spare=sink if buries else None,
        required=settings.required,
    )


def _local(settings: AuditSettings, *, read_only: bool, quiet: bool) -> Sink:
    if settings.file is not None and not read_only:  # a read-only command records nothing, and may lack the rights
        return FileSink(settings.file)
    stream: TextIO | None = sys.stderr if quiet else sys.stdout  # None: closed by the parent process
    if stream is None:
        raise AuditError("the audit goes to standard output, which is closed: open it, or set audit.file")
    return StreamSink(stream)


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
