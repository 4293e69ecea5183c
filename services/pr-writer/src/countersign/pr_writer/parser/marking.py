"""Finds the marked scalars of one YAML document among its tokens and comments. Pure."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml

from countersign.pr_writer.jobs.markers import Marked, Markers, Misplaced, Misplacement, marker_of
from countersign.pr_writer.parser import brackets
from countersign.pr_writer.parser.documents import events
from countersign.pr_writer.parser.sops import ENCRYPTED

_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_Found = tuple[int, int, str] | Misplacement


@dataclass(frozen=True)
class _Comment:
    """A marker comment; `after` is the index of the token before it on its line, or none."""

    marker: str
    line: int
    column: int
    after: int | None
    before: int


class Document:
    """Tokens and comments of one document, which begins at a byte and a line of its file."""

    def __init__(self, text: str, *, start: int, line: int, nodes_max: int) -> None:
        self.text = text
        self.start = start
        self.line = line
        self.events = events(text, nodes_max=nodes_max)
        # Zero-width tokens mark structure; a simple key's is put before the key itself.
        self.tokens: list[Any] = list(yaml.scan(text, Loader=yaml.CSafeLoader))
        self.scalars = [i for i, t in enumerate(self.tokens) if isinstance(t, yaml.ScalarToken)]
        self.enclosing = brackets.enclosing(self.tokens)
        self.line_starts = [0, *(m.end() for m in _BREAK.finditer(text))]

    @cached_property
    def blank_lines(self) -> list[int]:
        ends = [*self.line_starts[1:], len(self.text)]
        lines = zip(self.line_starts, ends, strict=True)
        return [n for n, (start, end) in enumerate(lines) if not self.text[start:end].strip()]

    def line_of(self, index: int) -> int:
        return bisect_right(self.line_starts, index) - 1

    def markers(self, *, sealed: bool) -> Markers:
        found: dict[int, tuple[int, str, _Comment]] = {}
        misplaced = list(self._inside_blocks())
        for comment in self._comments():
            place = self._beside(comment) if comment.after is not None else self._below(comment)
            if sealed:
                place = Misplacement.SEALED
            if isinstance(place, Misplacement):
                misplaced.append(self._misplaced(comment, place))
            else:
                start, end, style = place
                found[start] = (end, style, comment)
        return Markers(tuple(self._marked(found)), tuple(misplaced))

    def _marked(self, found: dict[int, tuple[int, str, "_Comment"]]) -> Iterator[Marked]:
        at, first = 0, self.start
        for start in sorted(found):
            end, style, comment = found[start]
            first += len(self.text[at:start].encode())
            at = start
            yield Marked(
                start=first,
                end=first + len(self.text[start:end].encode()),
                style=style,
                marker=comment.marker,
                line=self.line + comment.line + 1,
            )

    def _misplaced(self, comment: "_Comment", reason: Misplacement) -> Misplaced:
        line = self.line + comment.line + 1
        return Misplaced(marker=comment.marker, line=line, reason=reason)

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
            if token.style not in {"|", ">"}:
                continue
            header = _BREAK.search(self.text, token.start_mark.index)
            if header is None:
                continue
            inside = range(header.end(), token.end_mark.index)
            for comment in self._comments_in(inside.start, inside.stop, after=n, before=n):
                yield self._misplaced(comment, Misplacement.IN_BLOCK)

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
                yield _Comment(marker, line, column, after if beside else None, before)
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
        if self.enclosing[n + 1] is not None or isinstance(
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
        between = bisect_right(self.blank_lines, comment.line)
        if between < bisect_left(self.blank_lines, below):
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
        return at, at, ":"

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
            return start, end, token.style if token.style in {"'", '"'} else ""
        header = _BREAK.search(self.text, start)
        content = self.text[header.end() if header else end : end]
        if not content.strip():
            return Misplacement.ON_EMPTY_BLOCK
        first = end - len(content.lstrip())
        return first, end - (len(content) - len(content.rstrip())), "|"

    def _is_key(self, n: int) -> bool:
        before = n - 1
        while before >= 0 and isinstance(self.tokens[before], yaml.AnchorToken | yaml.TagToken):
            before -= 1
        if before < 0 or isinstance(self.tokens[before], yaml.KeyToken):
            return before >= 0
        # Without a colon it is a key all the same, in a mapping in brackets: `{a, b: 1}`.
        bracket = self.enclosing[n]
        in_brackets = bracket is not None and isinstance(
            self.tokens[bracket], yaml.FlowMappingStartToken
        )
        return in_brackets and not isinstance(self.tokens[before], yaml.ValueToken)

    def _in_flow(self, n: int, *, line: int) -> _Found:
        """The one value of a collection in brackets, or the one on the comment's line."""
        inside: Sequence[int]
        if brackets.step(self.tokens[n]) < 0:
            inside = range(brackets.start(self.tokens, n), n)
        else:
            first = n
            while first >= 0 and self._last_line(first) == line:
                first -= 1
            inside = range(first + 1, n + 1)
        scalars = [m for m in inside if isinstance(self.tokens[m], yaml.ScalarToken)]
        values = [m for m in scalars if not self._is_key(m)]
        aliases = [m for m in inside if isinstance(self.tokens[m], yaml.AliasToken)]
        if len(values) != 1 or aliases:
            return Misplacement.ON_SEVERAL
        return self._scalar(values[0])
