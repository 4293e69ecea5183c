"""Each thing that an installation needs is tried, and what to do about what is missing is said.

`countersign-check` tries everything; a service tries at its start what it needs itself.
"""
