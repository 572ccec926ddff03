"""A lean SIP registrar for measuring: over UDP, in the process of the lean Vobiz, with its passwords."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import cast

from rotator.core.secret import Secret
from rotator.providers.sip.codec import DigestInput, Message, encode, parameters, parse, respond

REALM = "bench"
_NONCE = "6f0c2a"  # always the same: nobody replays anything here


class LeanRegistrar(asyncio.DatagramProtocol):
    """Answers REGISTER by digest (RFC 7616), and counts: LOGIN what was accepted, REFUSED what had a wrong password."""

    def __init__(self, password: Callable[[str], str | None], counts: Callable[[], Counter[str]]) -> None:
        """`password` returns that of a username that is enabled."""
        self._password, self._counts = password, counts
        self.latency = 0.0  # seconds that each answer takes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # in Python 3.11 it is no instance of that

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._answer(parse(data))
        if self.latency:
            asyncio.get_running_loop().call_later(self.latency, self._transport.sendto, answer, addr)
        else:
            self._transport.sendto(answer, addr)

    def _answer(self, message: Message) -> bytes:
        same = [(name, message.get(name.lower())) for name in ("Via", "From", "Call-ID", "CSeq")]
        same.append(("To", f"{message.get('to')};tag=bench"))
        given = message.get("authorization")
        if given and self._is_right(message, parameters(given.partition(" ")[2])):
            self._counts()["LOGIN"] += 1
            return encode("SIP/2.0 200 OK", same)
        if given:
            self._counts()["REFUSED"] += 1
        challenge = f'Digest realm="{REALM}", nonce="{_NONCE}", algorithm=MD5, qop="auth"'
        return encode("SIP/2.0 401 Unauthorized", [*same, ("WWW-Authenticate", challenge)])

    def _is_right(self, message: Message, digest: dict[str, str]) -> bool:
        password = self._password(digest.get("username", ""))
        given = [digest.get(name, "") for name in ("realm", "uri", "nonce", "qop", "nc", "cnonce")]
        realm, uri, nonce, quality, count, client_nonce = given
        proof = DigestInput(realm, message.method, uri, nonce, "MD5", quality, count, client_nonce)
        return password is not None and respond(digest["username"], Secret(password), proof) == digest.get("response")
