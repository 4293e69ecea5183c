"""Finds marked scalars in a YAML file, to the byte. Pure; runs where there is no token.

Only tokens and events of the C parser are read: nothing is constructed, so aliases do not multiply.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from countersign.contracts.errors import Rejected
from countersign.pr_writer.jobs.files import FILE_BYTES_MAX
from countersign.pr_writer.jobs.markers import Marked, Markers, Misplaced, Misplacement, marker_of
from countersign.pr_writer.jobs.refusals import JobRefusal
from countersign.pr_writer.parser import brackets
from countersign.pr_writer.parser.sops import ENCRYPTED, is_sealed

NODES_MAX: Final = 50_000
DEPTH_MAX: Final = 64
NEEDLE: Final = b'"$promotion"'
_WIDE_NEEDLES: Final = tuple(
    NEEDLE.decode().encode(name) for name in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
)
BOM: Final = b"\xef\xbb\xbf"
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_Found = tuple[int, int, str, int] | Misplacement


def find(body: bytes) -> Markers:
    """All markers of a file, whatever pipeline they are of.

    Raises:
        Rejected: `limit_exceeded`, or `not_yaml` (a Helm template, other encodings).

    """
    if len(body) > FILE_BYTES_MAX:
        raise Rejected(JobRefusal.LIMIT_EXCEEDED, f"{len(body)} bytes, more than {FILE_BYTES_MAX}")
    if any(needle in body for needle in _WIDE_NEEDLES):
        raise Rejected(JobRefusal.NOT_YAML, "UTF-16; save it as UTF-8")
    if NEEDLE not in body:
        return Markers()
    offset = len(BOM) if body.startswith(BOM) else 0
    try:
        text = body[offset:].decode()
        file = _File(text)
    except UnicodeDecodeError:
        raise Rejected(JobRefusal.NOT_YAML, "not UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise Rejected(
            JobRefusal.NOT_YAML, f"{line}{getattr(error, 'problem', None) or 'unreadable'}"
        ) from None
    return file.markers(bytes_before=offset)


def events(text: str) -> list[yaml.Event]:
    """The events of a file, counted.

    Raises:
        Rejected: `limit_exceeded`.
        yaml.YAMLError: it is none.

    """
    found: list[yaml.Event] = []
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        found.append(event)
        if depth > DEPTH_MAX or len(found) > NODES_MAX:
            raise Rejected(
                JobRefusal.LIMIT_EXCEEDED, f"deeper than {DEPTH_MAX} or over {NODES_MAX} nodes"
            )
    return found


@dataclass(frozen=True)
class _Comment:
    """A marker comment; `after` is the index of the token before it on its line, or none."""

    marker: str
    line: int
    column: int
    after: int | None
    before: int
    ends_at: int


class _File:
    """Tokens and comments of one file."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.events = events(text)
        # Zero-width tokens mark structure; a simple key's is put before the key itself.
        self.tokens: list[Any] = list(yaml.scan(text, Loader=yaml.CSafeLoader))
        self.scalars = [i for i, t in enumerate(self.tokens) if isinstance(t, yaml.ScalarToken)]
        self.ordinals = {token: n for n, token in enumerate(self.scalars)}
        self.line_starts = [0, *(m.end() for m in _BREAK.finditer(text))]

    def line_of(self, index: int) -> int:
        return bisect_right(self.line_starts, index) - 1

    def markers(self, *, bytes_before: int) -> Markers:
        marked: dict[int, Marked] = {}
        misplaced = list(self._inside_blocks())
        sealed = is_sealed(self.text)
        for comment in self._comments():
            found = self._beside(comment) if comment.after is not None else self._below(comment)
            if sealed:
                found = Misplacement.SEALED
            if isinstance(found, Misplacement):
                place = Misplaced(marker=comment.marker, line=comment.line + 1, reason=found)
                misplaced.append(place)
                continue
            start, end, style, token = found
            first = len(self.text[:start].encode()) + bytes_before
            marked[start] = Marked(
                start=first,
                end=first + len(self.text[start:end].encode()),
                style=style,
                marker=comment.marker,
                ordinal=self.ordinals.get(token, -1),
                line=comment.line + 1,
            )
        return Markers(tuple(marked[k] for k in sorted(marked)), tuple(misplaced))

    def _comments(self) -> Iterator[_Comment]:
        """Comments are what is between tokens, and in the header of a block scalar."""
        end = 0
        last: int | None = None
        for n, token in enumerate(self.tokens):
            start = token.start_mark.index
            if start > end:
                yield from self._comments_in(end, start, after=last, before=n)
            if isinstance(token, yaml.ScalarToken) and token.style in {"|", ">"}:
                header = _BREAK.search(self.text, start)
                header_end = header.start() if header else token.end_mark.index
                yield from self._comments_in(start + 1, header_end, after=n, before=n)
            if token.end_mark.index > start:
                last = n
            end = max(end, token.end_mark.index)

    def _inside_blocks(self) -> Iterator[Misplaced]:
        """Markers in the text of block scalars: a document of its own, which nobody reads here."""
        for n in self.scalars:
            token = self.tokens[n]
            header = _BREAK.search(self.text, token.start_mark.index)
            if token.style not in {"|", ">"} or header is None:
                continue
            inside = range(header.end(), token.end_mark.index)
            for comment in self._comments_in(inside.start, inside.stop, after=n, before=n):
                yield Misplaced(
                    marker=comment.marker, line=comment.line + 1, reason=Misplacement.IN_BLOCK
                )

    def _comments_in(
        self, start: int, end: int, *, after: int | None, before: int
    ) -> Iterator[_Comment]:
        at = start
        while at < end:
            line_break = _BREAK.search(self.text, at, end)
            stop = line_break.start() if line_break else end
            hash_at = self.text.find("#", at, stop)
            marker = marker_of(self.text[hash_at:stop]) if hash_at >= 0 else None
            if marker is not None:
                line = self.line_of(hash_at)
                beside = after is not None and self._last_line(after) == line
                column = hash_at - self.line_starts[line]
                yield _Comment(marker, line, column, after if beside else None, before, stop)
            at = line_break.end() if line_break else end

    def _last_line(self, n: int) -> int:
        token = self.tokens[n]
        if isinstance(token, yaml.ScalarToken) and token.style in {"|", ">"}:
            return self.line_of(token.start_mark.index)
        return self.line_of(token.end_mark.index)

    def _beside(self, comment: _Comment) -> _Found:
        n = comment.after
        assert n is not None  # noqa: S101 - the caller looked
        token = self.tokens[n]
        if brackets.enclosing(self.tokens, n + 1) or isinstance(
            token, yaml.FlowMappingEndToken | yaml.FlowSequenceEndToken
        ):
            return self._in_flow(n, line=comment.line)
        if isinstance(token, yaml.ScalarToken):
            return self._scalar(n)
        if isinstance(token, yaml.AliasToken):
            return Misplacement.ON_ALIAS
        if isinstance(token, yaml.ValueToken | yaml.BlockEntryToken):
            return self._empty(n)
        return Misplacement.ON_NOTHING

    def _below(self, comment: _Comment) -> _Found:
        """The value that starts on the line under the comment."""
        n = comment.before
        if comment.column > self.tokens[n].start_mark.column:
            return Misplacement.DEEPER
        structure = yaml.BlockEndToken | yaml.BlockMappingStartToken | yaml.BlockSequenceStartToken
        token = self.tokens[n]
        below = self.line_of(token.start_mark.index)
        gap = self.text[comment.ends_at : self.line_starts[below]]
        if any(not line.strip() for line in _BREAK.split(gap)[1:-1]):
            return Misplacement.APART
        opened = False
        while isinstance(self.tokens[n], structure):
            opened = opened or isinstance(self.tokens[n], yaml.BlockMappingStartToken)
            n += 1
        if isinstance(self.tokens[n], yaml.BlockEntryToken):
            return self._value(n + 1)
        if isinstance(self.tokens[n], yaml.KeyToken):
            return self._value_of_key(n)
        if isinstance(self.tokens[n], yaml.ScalarToken) and not opened:
            return self._scalar(n)
        return Misplacement.ABOVE_NOTHING

    def _value_of_key(self, n: int) -> _Found:
        key, colon = self.tokens[n + 1], self.tokens[n + 2]
        if not isinstance(key, yaml.ScalarToken) or not isinstance(colon, yaml.ValueToken):
            return Misplacement.ON_COMPLEX_KEY
        return self._value(n + 3)

    def _value(self, n: int) -> _Found:
        while isinstance(self.tokens[n], yaml.AnchorToken):
            n += 1
        token = self.tokens[n]
        if isinstance(token, yaml.ScalarToken):
            return self._scalar(n)
        if isinstance(token, yaml.AliasToken):
            return Misplacement.ON_ALIAS
        if isinstance(token, yaml.FlowMappingStartToken | yaml.FlowSequenceStartToken):
            return self._in_flow(brackets.end(self.tokens, n), line=-1)
        if isinstance(token, yaml.TagToken):
            return Misplacement.ON_TAG
        if isinstance(token, yaml.KeyToken | yaml.BlockEndToken):
            return self._empty(n - 1)
        return Misplacement.ON_COLLECTION

    def _empty(self, n: int) -> _Found:
        """The place right after `:` or `-` where nothing follows."""
        following = self.tokens[n + 1]
        if not isinstance(
            following,
            yaml.KeyToken | yaml.BlockEndToken | yaml.BlockEntryToken | yaml.StreamEndToken,
        ) or not isinstance(self.tokens[n], yaml.ValueToken | yaml.BlockEntryToken):
            return Misplacement.ON_COLLECTION
        if isinstance(self.tokens[n], yaml.ValueToken) and isinstance(
            following, yaml.BlockEntryToken
        ):
            return Misplacement.ON_COLLECTION
        at = self.tokens[n].end_mark.index
        return at, at, ":", -1

    def _scalar(self, n: int) -> _Found:
        token = self.tokens[n]
        if n and isinstance(self.tokens[n - 1], yaml.TagToken):
            return Misplacement.ON_TAG
        start, end = token.start_mark.index, token.end_mark.index
        if token.value.startswith(ENCRYPTED):
            return Misplacement.ENCRYPTED
        if token.style not in {"|", ">"}:
            if self._is_key(n):
                return Misplacement.ON_KEY
            return start, end, token.style if token.style in {"'", '"'} else "", n
        header = _BREAK.search(self.text, start)
        content = self.text[header.end() if header else end : end]
        if not content.strip():
            return Misplacement.ON_EMPTY_BLOCK
        first = end - len(content.lstrip())
        return first, end - (len(content) - len(content.rstrip())), "|", n

    def _is_key(self, n: int) -> bool:
        before = n - 1
        while before >= 0 and isinstance(self.tokens[before], yaml.AnchorToken | yaml.TagToken):
            before -= 1
        if before < 0 or isinstance(self.tokens[before], yaml.KeyToken):
            return before >= 0
        # Without a colon it is a key all the same, in a mapping in brackets: `{a, b: 1}`.
        in_brackets = isinstance(brackets.enclosing(self.tokens, n), yaml.FlowMappingStartToken)
        return in_brackets and not isinstance(self.tokens[before], yaml.ValueToken)

    def _in_flow(self, n: int, *, line: int) -> _Found:
        """The one value of a collection in brackets, or the one on the comment's line."""
        ended = brackets.step(self.tokens[n]) < 0
        inside: Sequence[int]
        if ended:
            inside = range(brackets.start(self.tokens, n), n)
        else:
            inside = [m for m in range(n + 1) if self._last_line(m) == line]
        values = [m for m in inside if m in self.ordinals and not self._is_key(m)]
        aliases = [m for m in inside if isinstance(self.tokens[m], yaml.AliasToken)]
        if len(values) != 1 or aliases:
            return Misplacement.ON_SEVERAL
        return self._scalar(values[0])
