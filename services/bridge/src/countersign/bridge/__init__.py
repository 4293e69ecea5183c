"""Events of Countersign, sent on over HTTP: as CloudEvents, CDEvents, or messages for a chat.

It is a reader like any other tool, and knows nothing that others do not.
"""
