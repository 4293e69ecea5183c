"""Walks the forge's pages as a browser without JavaScript does."""

from dataclasses import dataclass
from html.parser import HTMLParser

import httpx2

from countersign.local.forge.pages.sign_in_pages import PASSWORD

BROWSER_TIMEOUT_S = 10.0
REDIRECTS_MAX = 10


async def walk(origin: str, url: str, login: str, *, deny: bool) -> str:
    """From an authorization address to the one that leads back to the application."""
    async with httpx2.AsyncClient(
        base_url=origin, timeout=BROWSER_TIMEOUT_S, trust_env=False
    ) as browser:
        answer = await browser.get(url)
        for _ in range(REDIRECTS_MAX):
            if not answer.is_redirect:
                answer = await _submit(browser, answer, login, deny=deny)
                continue
            location = answer.headers["location"]
            if not location.startswith(("/", origin)):
                return str(location)
            answer = await browser.get(location)
    raise AssertionError("the forge sent the browser in circles")


async def type_code(origin: str, url: str, code: str, login: str, *, deny: bool) -> str:
    """From the page that takes a code to what is said in the end."""
    async with httpx2.AsyncClient(
        base_url=origin, timeout=BROWSER_TIMEOUT_S, trust_env=False, follow_redirects=True
    ) as browser:
        answer = await browser.get(url)
        answer = await _submit(browser, answer, login, deny=deny)
        form = read_form(answer.text)
        assert form is not None, answer.text
        headers = {"origin": origin}
        fields = {**form.fields, "user_code": code}
        answer = await browser.post(form.action, data=fields, headers=headers)
        if answer.status_code == httpx2.codes.OK:
            answer = await _submit(browser, answer, login, deny=deny)
    return answer.text


async def _submit(
    browser: httpx2.AsyncClient, answer: httpx2.Response, login: str, *, deny: bool
) -> httpx2.Response:
    """Fill the form of a page, which is the one of signing in or the one of consent."""
    form = read_form(answer.text)
    if form is None:
        raise AssertionError(f"no form on {answer.request.url.path}: {answer.status_code}")
    fields = dict(form.fields)
    if "password" in form.names:
        fields |= {"login": login, "password": PASSWORD}
    else:
        fields["authorize"] = "0" if deny else "1"
    headers = {"origin": f"{answer.request.url.scheme}://{answer.request.url.netloc.decode()}"}
    return await browser.post(form.action or str(answer.request.url), data=fields, headers=headers)


@dataclass(frozen=True)
class Form:
    action: str
    fields: dict[str, str]
    names: frozenset[str]


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str], set[str]]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = True
            self.forms.append((given.get("action", ""), {}, set()))
        elif tag in {"input", "button"} and self._inside and "name" in given:
            _, fields, names = self.forms[-1]
            names.add(given["name"])
            if given.get("type") == "hidden":
                fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


def read_form(page: str) -> Form | None:
    """The page's own form, past the one that signs out."""
    reader = _FormReader()
    reader.feed(page)
    forms = [form for form in reader.forms if form[0] != "/logout"]
    if not forms:
        return None
    action, fields, names = forms[0]
    return Form(action, fields, frozenset(names))
