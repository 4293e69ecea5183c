"""Reads events as the Python SDK of CloudEvents does: lines of {headers, body}."""

import json
import sys

from cloudevents.core.bindings.http import HTTPMessage, from_http_event

for line in sys.stdin:
    given = json.loads(line)
    event = from_http_event(HTTPMessage(headers=given["headers"], body=given["body"].encode()))
    attributes = event.get_attributes()
    told = {name: str(attributes[name]) for name in ("id", "source", "type", "subject")}
    told |= {name: str(attributes[name]) for name in ("datacontenttype", "dataschema")}
    told["time"] = attributes["time"].isoformat()
    told["traceparent"] = attributes["traceparent"]
    sys.stdout.write(json.dumps({**told, "data": event.get_data()}) + "\n")
