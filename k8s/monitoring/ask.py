"""Asks a Prometheus every query of the dashboards and rules; says what fails or gives nothing.

python3 k8s/monitoring/ask.py http://127.0.0.1:9090
"""

import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

HERE: Final = Path(__file__).parent
TIMEOUT_S: Final = 10.0
# As Grafana would put it for a scrape every five seconds.
INTERVAL: Final = "1m"


def queries() -> Iterator[tuple[str, str]]:
    """Yield every query with where it is from."""
    for path in sorted(HERE.glob("dashboards/*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{path.stem}: {panel['title']}", target["expr"]
    for group in yaml.safe_load((HERE / "prometheus" / "rules.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            yield f"alert {rule['alert']}", rule["expr"]


def ask(url: str, query: str) -> tuple[str, int]:
    """Return what went wrong, and how many series came."""
    text = query.replace("$__rate_interval", INTERVAL)
    address = f"{url}/api/v1/query?" + urllib.parse.urlencode({"query": text})
    try:
        # Who runs this says which address.
        with urllib.request.urlopen(address, timeout=TIMEOUT_S) as answer:  # noqa: S310
            return "", len(json.load(answer)["data"]["result"])
    except urllib.error.HTTPError as error:
        with error:
            return json.load(error)["error"], 0


def main() -> int:
    failed = 0
    for where, query in queries():
        wrong, series = ask(sys.argv[1].rstrip("/"), query)
        failed += bool(wrong)
        print(f"{'FAILS' if wrong else series:>5}  {where}  {wrong}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
