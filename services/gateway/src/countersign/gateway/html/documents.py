"""The documents of this installation's version, as HTML: what is in `docs/` of the repository.

They are ours, and rendered as if they were not: no HTML of theirs is passed on, and a link leads to
another document, to the web, or nowhere.
"""

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markupsafe import Markup

from countersign.gateway.html.templates import safe

_BREAK: Final = "<br>"
_NOT_IN_ANCHORS: Final = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, kw_only=True)
class Document:
    """One document; `path` is below `docs/`."""

    path: str
    title: str
    text: str


class Documents:
    """All of them, by path."""

    def __init__(self, found: Sequence[Document]) -> None:
        self.listed = tuple(found)
        self._by_path: Mapping[str, Document] = {one.path: one for one in found}
        self._rendered: dict[str, Markup] = {}
        self._markdown = _markdown()

    def find(self, path: str) -> Document | None:
        return self._by_path.get(path)

    def html(self, document: Document) -> Markup:
        """Render it, once."""
        if document.path not in self._rendered:
            tokens = self._markdown.parse(document.text)
            _prepare(tokens, here=document.path, known=self._by_path)
            html = self._markdown.renderer.render(tokens, self._markdown.options, {})
            # What is scrolled by a pointer is by keys, too.
            html = html.replace("<pre>", '<pre tabindex="0">')
            self._rendered[document.path] = safe(html)
        return self._rendered[document.path]


def read_documents() -> Documents:
    """Read what came with this version."""
    folder = files("countersign.gateway") / "documents"
    return Documents(sorted(_below(folder, ""), key=lambda one: one.title.casefold()))


def _below(folder: Traversable, prefix: str) -> list[Document]:
    found: list[Document] = []
    for entry in folder.iterdir():
        path = prefix + entry.name
        if entry.is_dir():
            found += _below(entry, f"{path}/")
        elif entry.name.endswith(".md"):
            text = entry.read_text("utf-8")
            title = text.partition("\n")[0].removeprefix("# ")
            found.append(Document(path=path, title=title, text=text))
    return found


def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    # The one tag that our tables need.
    markdown.inline.ruler.before("autolink", "break", _break)
    markdown.add_render_rule("table_open", _table_open)
    markdown.add_render_rule("table_close", _table_close)
    return markdown


def _break(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - as the library calls it
    if not state.src.startswith(_BREAK, state.pos):
        return False
    if not silent:
        state.push("hardbreak", "br", 0)
    state.pos += len(_BREAK)
    return True


def _table_open(_: RendererHTML, *__: Any) -> str:
    return '<div class="scroll" tabindex="0"><table>\n'


def _table_close(_: RendererHTML, *__: Any) -> str:
    return "</table></div>\n"


def _prepare(tokens: Sequence[Token], *, here: str, known: Mapping[str, Document]) -> None:
    """Give headings their anchors, and links their ends; styles are not for us to write."""
    taken: dict[str, int] = {}
    for token, following in zip(tokens, [*tokens[1:], Token("", "", 0)], strict=True):
        if token.type == "heading_open":
            token.attrs["id"] = _anchor(following.content, taken)
        token.attrs.pop("style", None)
        _lead(token.children or (), here=here, known=known)


def _anchor(heading: str, taken: dict[str, int]) -> str:
    """Return the anchor that forges give to the same heading."""
    words = _NOT_IN_ANCHORS.sub("", heading.lower()).replace(" ", "-")
    taken[words] = taken.get(words, -1) + 1
    return f"{words}-{taken[words]}" if taken[words] else words


def _lead(tokens: Sequence[Token], *, here: str, known: Mapping[str, Document]) -> None:
    for i, token in enumerate(tokens):
        if token.type != "link_open":
            continue
        to = urlsplit(str(token.attrs["href"]))
        if to.scheme in {"http", "https"}:
            token.attrs["rel"] = "noreferrer noopener"
        elif not to.scheme and not _is_known(to.path, here=here, known=known):
            # It is in the repository, and not here.
            closing = next(t for t in tokens[i:] if t.type == "link_close")
            token.tag = closing.tag = "span"
            token.attrs = {}


def _is_known(path: str, *, here: str, known: Mapping[str, Document]) -> bool:
    return not path or posixpath.normpath(posixpath.join(posixpath.dirname(here), path)) in known
