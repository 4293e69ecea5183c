"""Lines that a message gives to somebody who may give rights, run as they are."""

import html
import re
import shlex

from apiserver import ApiServer


def line_in(message: str) -> str:
    """The one that stands in backquotes, or as code on a page."""
    found = re.findall(r"`(kubectl [^`]+)`|<code>(kubectl [^<]+)</code>", message)
    assert found, message
    return html.unescape(next(filter(None, found[0])))


def run_line(server: ApiServer, message: str) -> None:
    for command in line_in(message).split(" && "):
        program, *arguments = shlex.split(command)
        assert program == "kubectl"
        server.kubectl(*arguments)
