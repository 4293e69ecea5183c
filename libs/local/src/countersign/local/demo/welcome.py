"""The text that greets the person who started the demonstration."""

import sys
from pathlib import Path

from countersign.local.demo.layout import Layout, Ports
from countersign.local.demo.programs import READER
from countersign.local.demo.seeding import PEOPLE, READERS, VIEWERS


def welcome(layout: Layout, ports: Ports) -> str:
    script = Path(sys.executable).with_name("countersign-demo")
    people = "\n".join(f"    {_who(login, name)}" for login, name in PEOPLE.items())
    return f"""
Countersign runs on this machine.

  Board   {ports.gateway_url}
  Forge   {ports.forge_url}   (stands for GitHub; the password of everybody is "demo")

  Who can sign in, at both:
{people}

  What to do:
    1. Open the board, sign in as ada, and press Promote at a gate that waits for you.
    2. Continue to the forge as yourself; its pull request is opened in your name.
    3. Merge it there, come back, and see the environment run the new revision.
    Of the others, catalog uses a stored token (see Credentials), website is promoted by commit,
    and search is held back by a target of test that never gets healthy. To have something new:
      {script} --release checkout --dir {layout.root}

  Events  {ports.bus_url}   with the key {layout.bus / "readers" / f"{READER}.nk"}
          docs/subscribe.md reads them in four languages

  Logs    {layout.logs}
  Ctrl-C stops everything; a second start goes on from here. Remove {layout.root} to begin anew.
"""


def _who(login: str, name: str) -> str:
    note = " (may read the repositories, not write)" if login in READERS else ""
    if login in VIEWERS:
        note = " (may look at the board, not promote)"
    return f"{login:<8}{name}{note}"
