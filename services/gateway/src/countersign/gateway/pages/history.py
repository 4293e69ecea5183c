"""The revisions that an environment ran, and when."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from countersign.contracts.errors import Rejected
from countersign.gateway.access.visibility import Visibility
from countersign.gateway.model import PipelineKey
from countersign.gateway.pages.promotions import gate_of, track_of
from countersign.gateway.refusals import Refusal
from countersign.gateway.view.histories import Ran, history_of, ran_at
from countersign.gateway.view.projection import Projection
from countersign.gateway.web.frames import Screen


class HistoryPages:
    """One page for each environment."""

    def __init__(self, *, visibility: Visibility, screen: Screen) -> None:
        self._visibility = visibility
        self._screen = screen

    async def history(self, request: Request) -> Response:
        key, track = track_of(self._visibility, request)
        environment, _ = gate_of(request, track)
        asked = request.query_params.get("at", "")
        html = self._screen.page(
            request,
            "history.html",
            view={"view": "bus"},
            key=key,
            environment=environment,
            history=history_at(self._visibility.projection, key, environment, asked=asked),
            moment_asked=asked[:16],
        )
        return HTMLResponse(html)


def history_at(
    projection: Projection, key: PipelineKey, environment: str, *, asked: str
) -> tuple[Ran, ...]:
    """Return what the environment ran, or only what it ran at a moment that is asked for.

    Raises:
        Rejected: `bad_request`; the moment is none.

    """
    observed = projection.pipelines[key]
    names = [e.name for e in observed.environments]
    # Nothing is promoted into the first; what left it tells what it ran.
    telling = names[1] if names[0] == environment and len(names) > 1 else environment
    history = history_of(observed, environment, projection.at_gate(key, telling))
    return ran_at(history, moment(asked)) if asked else history


def moment(text: str) -> datetime:
    """Read an ISO 8601 moment, in UTC where no zone is said.

    Raises:
        Rejected: `bad_request`.

    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None:
        raise Rejected(Refusal.BAD_REQUEST, f"{text[:40]!r} is not a moment like 2026-11-23T14:00")
    return found if found.tzinfo else found.replace(tzinfo=UTC)
