"""What the service takes in. It answers nobody and has no queue of work."""

from typing import Final

STREAMS: Final = ("PIPELINES", "TOKENS")
