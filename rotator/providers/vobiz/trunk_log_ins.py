"""Log-ins with trunk credentials at the domain of the trunk that names them (`prove_at_trunk`)."""

from collections.abc import Callable
from dataclasses import replace

from rotator.core.answers import Answer, Done, Refusal, Refused
from rotator.core.model import Credential, Proof
from rotator.fields.network import HostPort
from rotator.providers.http.calls import HttpCall
from rotator.providers.http.client import Http
from rotator.providers.http.replies import Failure
from rotator.providers.sip.links import SipRoute
from rotator.providers.sip.proof import at_trunk, trunk_asks
from rotator.providers.vobiz.options import VobizOptions
from rotator.providers.vobiz.trunks import VobizTrunks


class TrunkLogIns:
    """Tries passwords where a trunk lets in what it names.

    What was ended is named by no trunk any more; its own `host` says where it was let in.
    """

    def __init__(
        self, options: VobizOptions, http: Http, trunks: VobizTrunks, route_to: Callable[[HostPort], SipRoute]
    ) -> None:
        """Prepares without connecting."""
        self._options, self._http, self._trunks, self._route_to = options, http, trunks, route_to
        self._invites = options.prove_at_trunk == "invite"

    def tried(self, call: HttpCall, credential: Credential) -> Answer[Proof] | str:
        """Logs in with the password; returns why that is impossible if nothing asks for it."""
        where = self._trunk_of(credential)
        if not isinstance(where, tuple):
            return where
        domain, route = where
        without_qop = self._options.allow_digest_without_qop
        answer = at_trunk(self._http, call, credential, route, without_qop=without_qop, invites=self._invites)
        if isinstance(answer, Done):
            return Done(replace(answer.value, host=domain), answer.note)
        return answer or f"nothing at {domain} asks for a password"

    def asks(self, credential: Credential) -> Answer[None]:
        """Finds out, without a password, whether one would be tried where the credential is let in.

        If nothing says where that is, nobody can tell.
        """
        where = self._trunk_of(credential)
        if isinstance(where, str):
            return Refused(Refusal.UNSUPPORTED, where) if credential.host else Done(None, where)
        if not isinstance(where, tuple):
            return where
        call, without_qop = self._http.call(), self._options.allow_digest_without_qop
        return trunk_asks(self._http, call, credential, where[1], without_qop=without_qop, invites=self._invites)

    def _trunk_of(self, credential: Credential) -> tuple[str, SipRoute] | Failure | str:
        """Returns the domain of the trunk that names the credential, and the way there; or why there is none."""
        domain = credential.host
        if not domain:
            named = self._trunks.naming([credential])
            if not isinstance(named, Done):
                return named
            domain = next((one.host for one in named.value if one.host), "")
            if not domain:
                return named.note or "no trunk names the credential, so there is nowhere to log in"
        address = self._options.trunk_address(domain)
        if address is None:
            return f"the trunk's domain {domain} is not below {self._options.trunk_domains}: set trunk_domains"
        return domain, self._route_to(address)
