"""CloudEvents over HTTP, in both modes.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

import json
from typing import Final

from countersign.bridge.model import Event, Parcel

STRUCTURED: Final = "application/cloudevents+json"
JSON: Final = "application/json"


def binary(event: Event) -> Parcel:
    """Attributes as headers; the body as it is."""
    headers = {
        f"ce-{name}": value
        for name, value in event.attributes.items()
        # In this binding it is `content-type`.
        if name != "datacontenttype"
    }
    return Parcel(body=event.body, headers={**headers, "content-type": JSON})


def structured(event: Event) -> Parcel:
    """Attributes and body as one JSON object."""
    body = {**event.attributes, "data": json.loads(event.body)}
    return Parcel(body=json.dumps(body).encode(), headers={"content-type": STRUCTURED})
