"""A transport that holds every request and every answer against the vendor's own description."""

import json
from collections.abc import Callable

import httpx2
import vendor_api

# A file's bytes, of which no description tells.
RAW = frozenset({"application/vnd.github.raw", "application/octet-stream"})


class CheckingTransport(httpx2.AsyncBaseTransport):
    """
    Args:
        inner: what answers.
        vendor: whose description.
        also: further descriptions that hold, of other products with the same API.
        graphql: the path of GraphQL documents; of those the document is checked alone.

    """

    def __init__(
        self,
        inner: httpx2.AsyncBaseTransport,
        *,
        vendor: str,
        also: tuple[str, ...] = (),
        graphql: str = "",
    ) -> None:
        self._inner = inner
        self._vendors = (vendor, *also)
        self._graphql = graphql
        self._odd: dict[str, httpx2.Response] = {}
        self._faults: list[tuple[str, str, httpx2.Response]] = []
        # What becomes of an answer's body on its way.
        self.edit: Callable[[bytes], bytes] = bytes
        # (method, path with query) of what was sent.
        self.sent: list[tuple[str, str]] = []

    def answer_once(self, method: str, part: str, answer: httpx2.Response) -> None:
        """Answer the next such request with this instead of asking anybody.

        `part` is in its path or, of GraphQL, in its document. Nothing of it is described.
        """
        self._faults.append((method, part, answer))

    def answer_checked(self, path: str, answer: httpx2.Response) -> None:
        """Answer what ends in that path with this, as if the vendor had."""
        self._odd[path] = answer

    def _fault(self, method: str, asked: str) -> httpx2.Response | None:
        for n, (of_method, part, answer) in enumerate(self._faults):
            if method == of_method and part in asked:
                del self._faults[n]
                return answer
        return None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        target = request.url.raw_path.decode()
        body = await request.aread()
        self.sent.append((request.method, target))
        is_graphql = bool(self._graphql) and target.partition("?")[0] == self._graphql
        if is_graphql:
            asked = json.loads(body)
            vendor_api.check_graphql(asked["query"], asked.get("variables"))
        else:
            sent_type = request.headers.get("content-type", vendor_api.JSON)
            for vendor in self._vendors:
                vendor_api.check_request(
                    request.method, target, body, vendor=vendor, content_type=sent_type
                )
        fault = self._fault(request.method, body.decode() if is_graphql else target)
        if fault is not None:
            return fault
        odd = next((a for path, a in self._odd.items() if target.endswith(path)), None)
        answer = odd or await self._inner.handle_async_request(request)
        content = self.edit(await answer.aread())
        content_type = answer.headers.get("content-type", "").partition(";")[0]
        if not is_graphql and content_type not in RAW:
            for vendor in self._vendors:
                vendor_api.check_response(
                    request.method,
                    target,
                    status=answer.status_code,
                    response=content,
                    body=body,
                    content_type=content_type,
                    vendor=vendor,
                )
        headers = [(k, v) for k, v in answer.headers.raw if k.lower() != b"content-encoding"]
        return httpx2.Response(answer.status_code, headers=headers, content=content)

    async def aclose(self) -> None:
        await self._inner.aclose()
