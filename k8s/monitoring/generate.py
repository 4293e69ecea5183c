"""Writes the dashboards, and the rules as a plain file, from their sources; `--check` compares.

`boards.py` has the dashboards, `rules.yaml` the alert rules as the Prometheus operator takes them.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

import yaml

HERE: Final = Path(__file__).parent
sys.path.insert(0, str(HERE))

from boards import BOARDS, Board, Panel  # noqa: E402 - beside this file, in no package

HEIGHT: Final = 8
COLUMNS: Final = 24
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
Json = dict[str, Any]


def dashboard(board: Board) -> Json:
    """Write one dashboard as Grafana's schema has it."""
    panels, x, y = [], 0, 0
    for number, one in enumerate(board.panels, 1):
        if x + one.width > COLUMNS:
            x, y = 0, y + HEIGHT
        panels.append(panel(one, number, x=x, y=y))
        x += one.width
    variable = {
        "name": "datasource",
        "label": "Source",
        "type": "datasource",
        "query": "prometheus",
        "current": {"text": "default", "value": "default"},
    }
    return {
        "uid": board.uid,
        "title": board.title,
        "tags": ["countersign"],
        "schemaVersion": 41,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [variable]},
        "panels": panels,
    }


def panel(one: Panel, number: int, *, x: int, y: int) -> Json:
    """Write one panel; a time series shows exemplars, which lead to traces."""
    targets = [
        {
            "refId": chr(ord("A") + n),
            "datasource": SOURCE,
            "expr": query,
            "legendFormat": legend,
            "exemplar": "_bucket" in query,
            "instant": one.kind == "bargauge",
            "range": one.kind != "bargauge",
        }
        for n, (legend, query) in enumerate(one.queries.items())
    ]
    return {
        "id": number,
        "type": one.kind,
        "title": one.title,
        "description": one.description,
        "datasource": SOURCE,
        "gridPos": {"h": HEIGHT, "w": one.width, "x": x, "y": y},
        "fieldConfig": {"defaults": {"unit": one.unit, "min": 0}, "overrides": []},
        "targets": targets,
    }


def files() -> dict[Path, str]:
    """Return everything that is generated, by its place."""
    found = {
        HERE / "dashboards" / f"{board.uid}.json": json.dumps(dashboard(board), indent=1) + "\n"
        for board in BOARDS
    }
    rules = yaml.safe_load((HERE / "rules.yaml").read_text())["spec"]
    text = yaml.safe_dump(rules, sort_keys=False, width=100)
    found[HERE / "prometheus" / "rules.yaml"] = "# Of ../rules.yaml; see generate.py.\n" + text
    return found


def main() -> int:
    stale = [p for p, text in files().items() if not p.is_file() or p.read_text() != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.relative_to(HERE)} is stale: make generate")
        return bool(stale)
    for path, text in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
