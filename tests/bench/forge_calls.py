"""Calls and bytes of a promotion at each kind of forge that has a double, cold and warm.

Run as `python tests/bench/forge_calls.py`. The services are real and the forge is played, so the
figures are of what is sent, not of time. GitHub's are printed by `writing.py`.
"""

import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from conformance.doubles import DOUBLES
from conformance.site import STORED, Site, site_of

from countersign.contracts import messages as m


@dataclass(frozen=True)
class Sample:
    calls: int
    sent_bytes: int
    received_bytes: int


async def promote(site: Site, version: str, *, before: str) -> Sample:
    """Bring one version to prod, and count until its pull request is open."""
    site.heard.clear()
    site.api.traffic.clear()
    if before:
        site.run("dev", version)
    else:
        site.lay(STORED)
    await site.next(m.PullRequestOpened, STORED)
    traffic = list(site.api.traffic)
    pull = max(site.repository.pulls.values(), key=lambda p: p.number)
    await site.merge(pull, webhook=True)
    await site.next(m.PullRequestMerged, STORED)
    site.run("prod", version)
    await site.next(m.PromotionCompleted, STORED)
    return Sample(len(traffic), sum(t.sent for t in traffic), sum(t.received for t in traffic))


async def measure(kind: str) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with site_of(kind, Path(folder)) as site:
            cold = await promote(site, "6.9.0", before="")
            warm = await promote(site, "6.9.1", before="6.9.0")
    for name, sample in (("cold", cold), ("warm", warm)):
        figures = f"{sample.calls:>6}{sample.sent_bytes:>10}{sample.received_bytes:>12}"
        print(f"{kind:<18}{name:<6}{figures}", flush=True)


def main() -> None:
    print(f"{'forge':<18}{'':<6}{'calls':>6}{'sent B':>10}{'received B':>12}")
    for kind in DOUBLES:
        asyncio.run(measure(kind))


if __name__ == "__main__":
    main()
