"""The documents, as the gateway shows them."""

import posixpath
import re
from urllib.parse import urlsplit

import pytest
from reference import ROOT
from unit.gateway.browsing import browser
from unit.gateway.doubles import DOCUMENTS, Scene

from countersign.gateway.html.documents import Document, Documents

DOCS = ROOT / "docs"
HOSTILE = """# A <b>title</b>

<script>alert(1)</script> [run](javascript:alert(1)) ![x](https://elsewhere.example/x.png)
[out](../SECURITY.md) [web](https://nats.io) [beside](b.md#part)

| a | b |
| --: | --- |
| 1 | one<br>two |
"""


def shown(text: str, *others: str) -> str:
    documents = [Document(path=p, title=p, text=text) for p in ("a.md", *others)]
    return str(Documents(documents).html(documents[0]))


def test_every_document_of_the_repository_is_there() -> None:
    assert {d.path for d in DOCUMENTS.listed} == {
        str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")
    }


def test_html_in_a_document_is_text_and_nothing_runs() -> None:
    html = shown(HOSTILE, "b.md")

    assert "<script" not in html
    assert "&lt;b&gt;title" in html
    assert "javascript:" not in re.sub(r">[^<]*<", "><", html)


def test_policy_of_the_pages_has_nothing_to_refuse() -> None:
    """No style of its own, and no picture."""
    html = shown(HOSTILE, "b.md") + "".join(str(DOCUMENTS.html(d)) for d in DOCUMENTS.listed)

    assert " style=" not in html
    assert "<img" not in html


def test_link_leads_to_a_document_to_the_web_or_nowhere() -> None:
    html = shown(HOSTILE, "b.md")

    assert '<a href="b.md#part">beside</a>' in html
    assert '<a href="https://nats.io" rel="noreferrer noopener">web</a>' in html
    assert "<span>out</span>" in html


def test_line_break_in_a_table_is_one() -> None:
    assert re.search(r"one<br />\s*two", shown(HOSTILE))


@pytest.mark.parametrize("document", DOCUMENTS.listed, ids=lambda d: d.path)
def test_every_link_within_leads_to_a_heading_that_is_there(document: Document) -> None:
    hrefs = re.findall(r'<a href="([^"]+)"(?! rel)', str(DOCUMENTS.html(document)))

    for to in map(urlsplit, hrefs):
        path = posixpath.normpath(posixpath.join(posixpath.dirname(document.path), to.path))
        found = DOCUMENTS.find(path) if to.path else document
        assert found is not None, to
        assert not to.fragment or f'id="{to.fragment}"' in str(DOCUMENTS.html(found)), to


async def test_help_leads_to_documents_within_one_click() -> None:
    async with browser(Scene()) as client:
        page = (await client.get("/help")).text
        answers = {
            path: await client.get(path) for path in re.findall(r'href="(/help/docs/[^"#]+)', page)
        }

    assert {"/help/docs/tokens.md", "/help/docs/incidents.md", "/help/docs/install.md"} <= set(
        answers
    )
    assert {answer.status_code for answer in answers.values()} == {200}
    assert "<h1" in answers["/help/docs/tokens.md"].text


async def test_help_promises_no_revocation_where_a_forge_has_none() -> None:
    async with browser(Scene()) as client:
        page = (await client.get("/help")).text

    assert "where the forge has no way to do that, forgotten" in page
    assert "forgotten where the forge cannot revoke" in page


@pytest.mark.parametrize("path", ["nothing.md", "../pyproject.toml", "images/make.py", ""])
async def test_nothing_else_is_served(path: str) -> None:
    async with browser(Scene()) as client:
        answer = await client.get("/help/docs/" + path.replace("..", "%2E%2E"))

    assert answer.status_code == 404
