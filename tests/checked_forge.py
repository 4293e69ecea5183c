"""A client of the local forge whose every exchange is held against GitHub's description."""

from typing import Any

import httpx2
import vendor_api

from countersign.contracts.secret import Secret

REPO = "acme/config"
FILES: dict[str, str | bytes] = {
    "README.md": "Configuration of acme\n",
    "apps/prod.yaml": "version: 6.9.0 # marked\n",
    "apps/crlf.yaml": b"\xef\xbb\xbfa: 1\r\nb: 2\r\n",
    "logo.png": b"\x89PNG\0\0\1",
}


class CheckedClient:
    """Sends requests and checks each of them, and each answer, against GitHub's description."""

    def __init__(self, http: httpx2.AsyncClient, api: str) -> None:
        self._http = http
        self._api = api

    async def __call__(
        self,
        method: str,
        path: str,
        *,
        token: Secret | None = None,
        json: Any = None,
        auth: tuple[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx2.Response:
        sent = dict(headers or {})
        if token is not None:
            sent["authorization"] = f"Bearer {token.reveal()}"
        request = self._http.build_request(method, self._api + path, json=json, headers=sent)
        answer = await self._http.send(request, auth=auth)
        if answer.is_success:
            vendor_api.check_request(method, path, request.content)
        vendor_api.check_response(
            method,
            path,
            status=answer.status_code,
            response=answer.content,
            body=request.content,
            content_type=answer.headers.get("content-type", "").partition(";")[0],
        )
        return answer
