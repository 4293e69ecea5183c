"""The wire form of server-sent events.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""


def encode_event(data: str, *, event_id: str = "", event: str = "") -> bytes:
    """One event. A carriage return would end a line, so it is written as HTML does."""
    lines = [f"id: {event_id}"] if event_id else []
    if event:
        lines.append(f"event: {event}")
    lines += [f"data: {line}" for line in data.replace("\r", "&#13;").split("\n") if line.strip()]
    return ("\n".join(lines) + "\n\n").encode()
