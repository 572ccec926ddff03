"""Checks of Vault and the provider accounts, with what others have in common with them: addresses, files, times."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path, PurePosixPath
from stat import S_IROTH
from typing import Any
from urllib.parse import urlsplit

from rotator.fields.network import HostPort, is_loopback
from rotator.fields.proxy import ProxySettings
from rotator.fields.references import Resolved
from rotator.fields.section import Section
from rotator.fields.times import duration_text
from rotator.providers.http.client import CallTimeouts
from rotator.providers.options import SipAccountOptions
from rotator.settings.hooks import http_hooks
from rotator.settings.problems import Finding, Loc
from rotator.settings.targets import CheckedSettings
from rotator.settings.usage import ca_files, http_sources
from rotator.settings.vault import CertAuth, JwtAuth, RemoteVaultSettings, TokenFileAuth

_TLS_PORT, _PLAIN_PORT = 5061, 5060
_LONGEST_CALL: timedelta = CallTimeouts().longest_call


def plain_http_is_allowed(checked: CheckedSettings) -> Iterator[Finding]:
    """Passwords cross the network only over TLS, unless `allow_plain_http` names the host."""
    urls: list[tuple[Loc, str, tuple[str, ...]]] = []
    if isinstance(checked.settings.vault, RemoteVaultSettings):
        urls.append((("vault", "address"), checked.settings.vault.address, checked.settings.vault.allow_plain_http))
    for name, account in checked.settings.providers.items():
        urls += [(("providers", name, key), url, account.allow_plain_http) for key, url in account.urls.items()]
    for name, source in http_sources(checked.settings.usage_sources).items():
        urls.append((("usage_sources", name, "url"), source.where, source.allow_plain_http))
    for name, hook in http_hooks(checked.settings.hooks).items():
        urls.append((("hooks", name, "url"), hook.url, hook.allow_plain_http))
    for loc, url, allowed in urls:
        host = urlsplit(url).hostname or ""
        if url.startswith("http:") and not is_loopback(host) and host not in allowed:
            remedy = "use https, or add the host to allow_plain_http in the same section"
            what = "plain http would expose every password to the network"
            if loc[0] in ("usage_sources", "hooks"):
                what = "plain http lets whoever is on the path answer in its name"
            yield Finding(loc, what, remedy)


def proxies_carry_tls(checked: CheckedSettings) -> Iterator[Finding]:
    """A proxy sees nothing of what passes through it: without TLS it would read everything."""
    places: list[tuple[Loc, ProxySettings | None, Iterable[str]]] = []
    if isinstance(checked.settings.vault, RemoteVaultSettings):
        places.append((("vault", "proxy"), checked.settings.vault.proxy, [checked.settings.vault.address]))
    for name, account in checked.settings.providers.items():
        places.append((("providers", name, "proxy"), account.proxy, account.urls.values()))
    for name, source in http_sources(checked.settings.usage_sources).items():
        places.append((("usage_sources", name, "proxy"), source.proxy, [source.where]))
    for name, hook in http_hooks(checked.settings.hooks).items():
        places.append((("hooks", name, "proxy"), hook.proxy, [hook.url]))
    if (http := checked.settings.audit.http) is not None:
        places.append((("audit", "http", "proxy"), http.proxy, [http.url]))
    for loc, proxy, urls in places:
        if proxy is not None and any(url.startswith("http:") and proxy.carries(url) for url in urls):
            yield Finding(loc, "would read what is sent without TLS", "use https, or name the host in no_proxy")


def client_certificates_are_usable(checked: CheckedSettings) -> Iterator[Finding]:
    """A certificate is shown over TLS only, and its files are there at start."""
    vault = checked.settings.vault
    if not isinstance(vault, RemoteVaultSettings) or not isinstance(vault.auth, CertAuth):
        return
    if not vault.address.startswith("https:"):
        yield Finding(("vault", "auth"), "a client certificate is shown over TLS only", "use https in vault.address")
    for key in ("certificate", "key"):
        try:
            mode = getattr(vault.auth, key).stat().st_mode
        except OSError as error:
            what = f"the file cannot be read: {error.strerror}"
            yield Finding(("vault", "auth", key), what, "check the path and its permissions")
        else:
            if key == "key" and mode & S_IROTH:
                what = "every user of this machine can read this secret's file"
                yield Finding(("vault", "auth", key), what, "run chmod o-rwx", fatal=False)


def plain_sip_is_allowed(checked: CheckedSettings) -> Iterator[Finding]:
    """Passwords are proved over TLS, unless `allow_plain_sip` names the registrar."""
    for name, account in _with_sip(checked):
        where, how = account.exposed_registrar, account.sip_transport
        if where is not None:
            what = f"SIP over {how} shows a digest of each password to the network, which can answer for the registrar"
            remedy = f"use sip_transport: tls, or write allow_plain_sip: [{where.host}] in the same section"
            yield Finding(("providers", name, "sip_transport"), what, remedy)


def ports_suit_the_transport(checked: CheckedSettings) -> Iterator[Finding]:
    """SIP over TLS has a port of its own (RFC 3261, 19.1.2): the other one does not answer, and says nothing."""
    for name, account in _with_sip(checked):
        registrar, secured = account.proving_registrar, account.sip_transport == "tls"
        if registrar is not None and registrar.port == (_PLAIN_PORT if secured else _TLS_PORT):
            what = f"{registrar.port} is the port of SIP {'without' if secured else 'over'} TLS"
            remedy = f"write registrar: {HostPort(registrar.host, _TLS_PORT if secured else _PLAIN_PORT)}"
            if secured:
                remedy += f", or sip_transport: udp with allow_plain_sip: [{registrar.host}]"
            yield Finding(("providers", name, "registrar"), what, remedy)


def _with_sip(checked: CheckedSettings) -> Iterator[tuple[str, SipAccountOptions]]:
    return ((name, it) for name, it in checked.settings.providers.items() if isinstance(it, SipAccountOptions))


def vault_address_is_bare(checked: CheckedSettings) -> Iterator[Finding]:
    """The paths of Vault's API are appended to the address."""
    vault = checked.settings.vault
    if isinstance(vault, RemoteVaultSettings) and urlsplit(vault.address).path:
        remedy = "give only scheme, host and port; the mount goes in `mount`"
        yield Finding(("vault", "address"), "must not have a path", remedy)


def ca_files_hold_certificates(checked: CheckedSettings) -> Iterator[Finding]:
    """An unusable CA file is an error at start, not at the first request."""
    files: list[tuple[Loc, Path | None]] = [
        (("providers", name, key), file)
        for name, account in checked.settings.providers.items()
        for key, file in account.ca_files.items()
    ]
    if isinstance(checked.settings.vault, RemoteVaultSettings):
        files.append((("vault", "ca_file"), checked.settings.vault.ca_file))
    files += [
        (("usage_sources", name, "ca_file"), file) for name, file in ca_files(checked.settings.usage_sources).items()
    ]
    files += [(("hooks", name, "ca_file"), hook.ca_file) for name, hook in http_hooks(checked.settings.hooks).items()]
    files += [(("audit", *place), file) for place, file in checked.settings.audit.ca_files.items()]
    for loc, file in files:
        reason = _unusable(file) if file is not None else None
        if reason is not None:
            yield Finding(loc, reason, "give a file of CA certificates in PEM form")


def _unusable(file: Path) -> str | None:
    try:
        text = file.read_bytes()
    except OSError as error:
        return f"the file cannot be read: {error.strerror}"
    return None if b"-----BEGIN CERTIFICATE-----" in text else "the file contains no certificate"


def secret_files_are_private(checked: CheckedSettings) -> Iterator[Finding]:
    """Warns about each secret in a file that every user can read."""
    for loc in _exposed(checked.settings, ()):
        what = "every user of this machine can read this secret's file"
        yield Finding(loc, what, "run chmod o-rwx; in Kubernetes, set defaultMode: 0440 on the volume", fatal=False)


def _exposed(part: Any, loc: Loc) -> Iterator[Loc]:
    if isinstance(part, Resolved):
        if part.exposed:
            yield loc
    elif isinstance(part, Section):
        for key in type(part).model_fields:
            yield from _exposed(getattr(part, key), (*loc, key))
    elif isinstance(part, dict):
        for key, value in part.items():
            yield from _exposed(value, (*loc, key))


def token_files_exist(checked: CheckedSettings) -> Iterator[Finding]:
    """Warns about a login's file that is missing: another program may write it later, or the path is wrong."""
    vault = checked.settings.vault
    if not isinstance(vault, RemoteVaultSettings):
        return
    match vault.auth:
        case TokenFileAuth():
            key, file = "file", vault.auth.file
        case JwtAuth():
            key, file = "jwt_file", vault.auth.jwt_file
        case _:
            return
    if not file.is_file():
        remedy = "check the path, and the program that writes it; rotator waits until it is there"
        yield Finding(("vault", "auth", key), "there is no such file", remedy, fatal=False)


def keys_stay_apart(checked: CheckedSettings) -> Iterator[Finding]:
    """A key in Vault is not where devices read: not in a consumer document, nor in a folder of them.

    The rights of devices are given by folder, so what lies in one can be read by all of them.
    """
    readable = _readable(checked)
    for key_loc, path in checked.settings.keys_in_vault.items():
        around = [path, *(f"{parent}/" for parent in PurePosixPath(path).parents if parent.name)]
        found = next((readable[each] for each in around if each in readable), None)
        found = found or next((each for read, each in readable.items() if read.startswith(f"{path}/")), None)
        if found is not None:
            loc, target_path = found
            what = f"is at {target_path}, where devices read, and would let them read this key at {path}"
            remedy = "move the key to a folder of its own, such as rotator/keys/"
            yield Finding(key_loc, what, remedy, other=loc)


def _readable(checked: CheckedSettings) -> dict[str, tuple[Loc, str]]:
    """Returns what devices may read, each with the first target or selection there: documents, and folders with `/`."""
    paths = [(loc, target.path) for loc, target in checked.targets]
    paths += [(("selections", position), each.path) for position, each in enumerate(checked.settings.selections)]
    readable: dict[str, tuple[Loc, str]] = {}
    for loc, path in paths:
        fixed = path.partition("{")[0]  # of a selection, whose documents are named after what it finds
        folder = fixed[: fixed.rfind("/") + 1]
        for each in (path, folder) if folder else (path,):
            readable.setdefault(each, (loc, path))
    return readable


def stop_lets_a_call_end(checked: CheckedSettings) -> Iterator[Finding]:
    """A shorter stop would cut calls in progress off and leave their outcomes unknown."""
    if checked.settings.daemon.stop_within <= _LONGEST_CALL:
        longest = duration_text(_LONGEST_CALL)
        what = f"is too short: a provider call may take {longest}, and a stop must not cut it off"
        yield Finding(("daemon", "stop_within"), what, f"set it to more than {longest}")
