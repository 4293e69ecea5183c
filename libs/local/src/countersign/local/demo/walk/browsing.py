"""A browser without a screen: cookies, forms, redirects, and a memory of every answer it saw."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx2

from countersign.contracts.errors import Rejected, Retryable
from countersign.local.refusals import LocalRefusal

REDIRECTS_MAX: Final = 10
TIMEOUT_S: Final = 15.0
# Some hundred pages of a walk; more would mean that it goes in circles.
ANSWERS_BYTES_MAX: Final = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Button:
    """A button; `action` is empty where it submits to the form's own address."""

    name: str
    value: str
    action: str


@dataclass(kw_only=True)
class Form:
    """A form as the page has it."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[Button] = field(default_factory=list)

    def leads_to(self, ending: str) -> bool:
        """Tell if the form, or one of its buttons, leads to a path with this ending."""
        return any(a.partition("?")[0].endswith(ending) for a in self.targets)

    @property
    def targets(self) -> tuple[str, ...]:
        return (self.action, *(b.action for b in self.buttons if b.action))


@dataclass(frozen=True, kw_only=True)
class Page:
    url: str
    status: int
    text: str
    forms: tuple[Form, ...]

    def find(self, ending: str) -> Form | None:
        """Return the form that leads to a path with this ending, if the page has one."""
        return next((form for form in self.forms if form.leads_to(ending)), None)

    def form(self, ending: str) -> Form:
        """Return the form that leads to a path with this ending.

        Raises:
            Rejected: `no_form`; the page is not what it should be.

        """
        found = self.find(ending)
        if found is None:
            seen = ", ".join(a for f in self.forms for a in f.targets if a) or "none"
            raise Rejected(
                LocalRefusal.NO_FORM,
                f"{self.url} ({self.status}) has no form to {ending}, but {seen}",
            )
        return found


class Browser:
    """One person's browser. `seen` are all answers with their headers, for who looks for leaks."""

    def __init__(self) -> None:
        self._client = httpx2.AsyncClient(timeout=TIMEOUT_S, trust_env=False)
        self.seen: list[bytes] = []
        self._seen_bytes = 0

    async def close(self) -> None:
        await self._client.aclose()

    async def open(self, url: str) -> Page:
        return await self._follow(await self._send("GET", url))

    async def read_json(self, url: str) -> dict[str, object]:
        answer = await self._send("GET", url)
        if answer.status_code != httpx2.codes.OK:
            raise Rejected(LocalRefusal.BAD_ANSWER, f"{url} answers {answer.status_code}")
        found = answer.json()
        if not isinstance(found, dict):
            raise Rejected(LocalRefusal.BAD_ANSWER, f"{url} answers no object")
        return found

    async def post(
        self, url: str, *, headers: Mapping[str, str], body: Mapping[str, object] | None = None
    ) -> httpx2.Response:
        """Post as a page's script does."""
        return await self._send("POST", url, headers=headers, body=body)

    async def submit(
        self, page: Page, ending: str, fields: Mapping[str, str] | None = None
    ) -> Page:
        """Fill in these fields of the form that leads to a path with this ending, and send it."""
        form = page.form(ending)
        action = next(a for a in form.targets if a.partition("?")[0].endswith(ending))
        url = urljoin(page.url, action)
        parts = urlsplit(page.url)
        # What a browser says of a form on that page; the gateway asks for it.
        headers = {
            "Origin": f"{parts.scheme}://{parts.netloc}",
            "Referer": page.url,
            "Sec-Fetch-Site": "same-origin",
            "Sec-Fetch-Mode": "navigate",
        }
        content = {**form.fields, **(fields or {})}
        return await self._follow(await self._send("POST", url, data=content, headers=headers))

    async def _follow(self, answer: httpx2.Response) -> Page:
        for _ in range(REDIRECTS_MAX):
            if not answer.is_redirect:
                return _page(answer)
            target = urljoin(str(answer.url), answer.headers["location"])
            answer = await self._send("GET", target)
        raise Rejected(
            LocalRefusal.REDIRECTS, f"more than {REDIRECTS_MAX} redirects, last {answer.url}"
        )

    async def _send(
        self,
        method: str,
        url: str,
        *,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> httpx2.Response:
        try:
            answer = await self._client.request(method, url, data=data, headers=headers, json=body)
        except httpx2.TransportError as error:
            raise Retryable(
                LocalRefusal.UNREACHABLE, f"{method} {url}: {type(error).__name__}"
            ) from error
        self._remember(answer)
        return answer

    def _remember(self, answer: httpx2.Response) -> None:
        lines = [f"{answer.request.method} {answer.url}\n".encode()]
        lines += [name + b": " + value + b"\n" for name, value in answer.headers.raw]
        whole = b"".join([*lines, b"\n", answer.content])
        self._seen_bytes += len(whole)
        if self._seen_bytes > ANSWERS_BYTES_MAX:
            raise Rejected(LocalRefusal.TOO_MUCH, f"more than {ANSWERS_BYTES_MAX} bytes of answers")
        self.seen.append(whole)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(action=given.get("action", ""))
            self.forms.append(self._form)
        elif self._form is None:
            return
        elif tag == "input":
            self._take(given)
        elif tag == "button":
            self._press(given)
        elif tag == "select":
            self._select = given.get("name", "")
        elif tag == "option" and self._select:
            chosen = "selected" in given or self._select not in self._form.fields
            if chosen:
                self._form.fields[self._select] = given.get("value", "")

    def _take(self, given: dict[str, str]) -> None:
        form, kind = self._form, given.get("type", "text")
        if form is None or not given.get("name"):
            return
        if kind == "submit":
            self._press(given)
        elif kind not in {"radio", "checkbox"} or "checked" in given:
            form.fields[given["name"]] = given.get("value", "on" if kind == "checkbox" else "")

    def _press(self, given: dict[str, str]) -> None:
        if self._form is not None and "disabled" not in given:
            button = Button(
                name=given.get("name", ""),
                value=given.get("value", ""),
                action=given.get("formaction", ""),
            )
            self._form.buttons.append(button)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = ""


def forms_of(text: str) -> tuple[Form, ...]:
    parser = _Forms()
    parser.feed(text)
    return tuple(parser.forms)


def _page(answer: httpx2.Response) -> Page:
    is_html = "html" in answer.headers.get("content-type", "")
    return Page(
        url=str(answer.url),
        status=answer.status_code,
        text=answer.text,
        forms=forms_of(answer.text) if is_html else (),
    )
