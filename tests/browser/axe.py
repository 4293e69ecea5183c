"""axe-core, the accessibility checker: fetched from npm, run in a page."""

import asyncio
import tarfile
from pathlib import Path
from typing import Any, Final

import prerequisites
from playwright.async_api import Page

VERSION: Final = "4.14.1"
FETCH_S_MAX: Final = 60.0
_SCRIPT: Final = "package/axe.min.js"
_GRAVE: Final = frozenset({"serious", "critical"})
# Success criteria of WCAG, whatever their impact; the rest of the rules are good practice.
_CRITERION: Final = "wcag"
_RUN: Final = "() => axe.run(document, {resultTypes: ['violations']})"


async def fetch(directory: Path) -> str:
    """The checker's script; npm verifies the package's digest."""
    npm = prerequisites.path_or_skip(prerequisites.NPM)
    command = (npm, "pack", f"axe-core@{VERSION}", "--silent", "--cache", str(directory / "npm"))
    process = await asyncio.create_subprocess_exec(
        *command, cwd=directory, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(FETCH_S_MAX):
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode(errors="replace")
    with tarfile.open(directory / f"axe-core-{VERSION}.tgz") as archive:
        member = archive.extractfile(_SCRIPT)
        assert member is not None
        return member.read().decode()


async def grave_violations(page: Page, script: str) -> list[str]:
    """What keeps somebody from using the page: rule, impact, and where."""
    # Not by a script element: the page's policy would refuse it.
    await page.evaluate(script)
    found: Any = await page.evaluate(_RUN)
    return [
        f"{v['impact']} {v['id']}: {node['html'][:120]} ({node['failureSummary']})"
        for v in found["violations"]
        if v["impact"] in _GRAVE or any(tag.startswith(_CRITERION) for tag in v["tags"])
        for node in v["nodes"]
    ]
