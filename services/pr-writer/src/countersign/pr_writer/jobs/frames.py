"""The kinds of frames between our processes, and how long each may take."""

from typing import Final

# An executor lives no longer: the kernel ends it.
EXECUTOR_S: Final = 60
# That long once it may send for a pull request: the request's own time, and some to spare.
SEND_S: Final = 15
# And what it sent takes effect no later than that, or never: forges end what takes
# them longer than some ten seconds.
# Source: https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#timeouts
LATE_S: Final = 45
REPORT_S: Final = 5.0
# From an executor to its parent, before the JSON.
PROGRESS: Final = b"p"
OUTCOME: Final = b"o"
# From a parent to its executor: the step is on record, what follows may be sent.
GO: Final = b"g"
# From the zygote to its parent, and back.
READY: Final = b"ready"
JOB: Final = b"job"
