"""The one HTTP client: all that ever goes to a forge goes through here.

It sends a token only to the origin that the administrator listed, through the proxy that they name
there or none, follows no redirect, reads no variables, bounds time and size, and logs nothing.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast

import httpx2

from countersign.contracts.bounds.bodies import ACCEPTED, BodyError, BoundedBody, TooLargeError
from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.contracts.secret import Secret
from countersign.dialects import statuses
from countersign.dialects.addresses import origin_of
from countersign.dialects.exchange import Answer, Basic, Call, Request, Sent
from countersign.dialects.kinds import kind_of, sign_in_origins
from countersign.dialects.refusals import ForgeRefusal
from countersign.process.clocks import MACHINE, Clocks
from countersign.process.faults.connections import Unreachable
from countersign.process.faults.mounts import no_file

CONNECTIONS_MAX: Final = 8
CONNECT_S: Final = 5.0
# Several servers close what is idle for 5 s; what is sent in that moment gets no answer.
KEPT_ALIVE_S: Final = 3.0
_USER_AGENT: Final = "countersign"
# The field of an entry that names who vouches for its forge.
AUTHORITY: Final = "caFile"


class ForgeHttp:
    """A client for one forge; close it, or use it as a context.

    Args:
        forge: the administrator's entry; it decides where anything may go.
        observe: told of every call after it.
        tls: made beforehand with `tls_context`, where making it for each client costs too much.
        clocks: the machine's, but in tests.
        transport: a stand-in for the network, in tests.

    """

    def __init__(
        self,
        forge: Forge,
        *,
        observe: Callable[[Call], None] = lambda _: None,
        tls: ssl.SSLContext | None = None,
        clocks: Clocks = MACHINE,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.forge = forge
        self.clocks = clocks
        self._kind = kind_of(forge)
        self._base = self._kind.addresses.api_of(forge)
        self._api_origin = origin_of(self._base)
        self._sign_in_origins = sign_in_origins(forge)
        self._observe = observe
        self._client = httpx2.AsyncClient(
            verify=tls or tls_context(forge),
            trust_env=False,
            follow_redirects=False,
            limits=httpx2.Limits(max_connections=CONNECTIONS_MAX, keepalive_expiry=KEPT_ALIVE_S),
            # It passes on what is encrypted for the forge, and sees neither tokens nor paths.
            proxy=forge.proxy or None,
            headers={"User-Agent": _USER_AGENT, "Accept-Encoding": ACCEPTED},
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._client.aclose()

    async def send_one(self, sent: Sent) -> Answer:
        """Send what a conversation asks to send."""
        return await self.send(sent.request, sent.token)

    async def send(self, request: Request, token: Secret | Basic | None = None) -> Answer:
        """Send it once.

        Raises:
            Retryable: `rate_limited`, or `forge_unavailable` (5xx, no connection, too slow).
            Rejected: `unauthorized`, `forbidden`, `not_found`, `bad_answer`, `refused`, or
                `forge_not_listed` for an URL elsewhere, of which nothing is sent.

        """
        sent = Sent(request=request, token=token)
        url = self._url(sent)
        host = httpx2.URL(url).netloc.decode()
        start_ns = self._now_ns()
        status = 0
        try:
            # The client's own timeouts are for each read; this one is for the whole exchange.
            async with asyncio.timeout(request.timeout_s):
                answer = await self._exchange(sent, url=url)
            status = answer.status
        except (httpx2.TimeoutException, TimeoutError):
            where = f"{host}: {request.name}"
            raise Unreachable(ForgeRefusal.FORGE_UNAVAILABLE, where, TimeoutError()) from None
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            # Not chained: its request carries the header with the token.
            where = f"{host}: {request.name}"
            raise Unreachable(
                ForgeRefusal.FORGE_UNAVAILABLE, where, error, trust=AUTHORITY
            ) from None
        finally:
            self._observe(
                Call(
                    name=request.name,
                    method=request.method,
                    host=host,
                    status=status,
                    start_ns=start_ns,
                    end_ns=self._now_ns(),
                )
            )
        statuses.check(
            answer, sent, host=host, kind=self._kind, now_s=self.clocks.wall().timestamp()
        )
        return answer

    def _now_ns(self) -> int:
        return int(self.clocks.wall().timestamp() * 1e9)

    def _url(self, sent: Sent) -> str:
        """Return the whole URL.

        Raises:
            Rejected: `forge_not_listed`; a token goes to the API alone, an application's own name
                and secret also to where people sign in.

        """
        request = sent.request
        url = self._base + request.url if request.url.startswith("/") else request.url
        allowed = {self._api_origin}
        if sent.token is None:
            allowed.update(self._sign_in_origins)
        # By prefix, not by parsing: no two parsers can disagree about it.
        if not any(url.startswith(f"{origin}/") for origin in allowed):
            raise Rejected(
                ForgeRefusal.FORGE_NOT_LISTED,
                f"{request.name}: the URL is not at forge {self.forge.name!r}; nothing was sent",
            )
        return url

    async def _exchange(self, sent: Sent, *, url: str) -> Answer:
        request = sent.request
        headers = {"Accept": request.accept, **request.headers}
        if request.content is not None:
            headers["Content-Type"] = request.content_type
        if isinstance(sent.token, Secret):
            headers["Authorization"] = f"Bearer {sent.token.reveal()}"
        basic = sent.token if isinstance(sent.token, Basic) else request.basic
        built = self._client.build_request(
            request.method,
            url,
            headers=headers,
            json=_revealed(request.json) if isinstance(request.json, dict) else request.json,
            data=_revealed(request.form) if request.form is not None else None,
            content=request.content,
            timeout=httpx2.Timeout(request.timeout_s, connect=CONNECT_S),
        )
        answer = await self._client.send(
            built,
            stream=True,
            auth=httpx2.BasicAuth(basic.user, basic.password.reveal()) if basic else None,
        )
        try:
            body, is_cut = await _read(answer, request)
        finally:
            await answer.aclose()
        return Answer(
            status=answer.status_code,
            headers={name.lower(): value for name, value in answer.headers.items()},
            body=body,
            is_cut=is_cut,
        )


def _revealed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v.reveal() if isinstance(v, Secret) else v for k, v in values.items()}


async def _read(answer: httpx2.Response, request: Request) -> tuple[bytes, bool]:
    """Return the body, and whether there was more of it than is read."""
    try:
        body = BoundedBody(answer.headers.get("content-encoding"), bytes_max=request.body_bytes_max)
        async for part in cast("httpx2.AsyncByteStream", answer.stream):
            body.feed(part)
        return body.whole(), False
    except BodyError as error:
        if request.cuts and isinstance(error, TooLargeError):
            return b"", True
        raise Rejected(ForgeRefusal.BAD_ANSWER, f"{request.name}: {error}") from None


def tls_context(forge: Forge, *, authority: str = "") -> ssl.SSLContext:
    """Trusts what the system trusts, or the forge's own authority alone where one is given.

    Args:
        forge: the administrator's entry.
        authority: another one that a credential brings, in PEM; for what is sent with that alone.

    Raises:
        Rejected: `bad_authority`.

    """
    try:
        context = ssl.create_default_context(cafile=forge.ca_file or None)
    except OSError as error:
        file = Path(forge.ca_file)
        held = f"{file} holds no certificates" if isinstance(error, ssl.SSLError) else no_file(file)
        raise Rejected(
            ForgeRefusal.BAD_AUTHORITY, f"forge {forge.name!r}: {AUTHORITY}: {held}"
        ) from None
    if authority:
        try:
            context.load_verify_locations(cadata=authority)
        except (ssl.SSLError, ValueError):
            raise Rejected(
                ForgeRefusal.BAD_AUTHORITY, "its key 'caFile' holds no certificates"
            ) from None
    return context
