"""An entry of the forge list may ask for what its kind can do, and for nothing else."""

from typing import Any

import pytest

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.dialects.kinds import refuse_unknown_options, unknown_options
from countersign.dialects.refusals import ForgeRefusal

LABELS, DRAFT, AUTO = {"labels": ["x"]}, {"draft": True}, {"autoMerge": True}


@pytest.mark.parametrize(
    ("kind", "asked", "unknown"),
    [
        ("github", {"pullRequests": LABELS | AUTO, "deviceFlow": True}, ()),
        ("github", {"pullRequests": LABELS | DRAFT}, ()),
        ("gitlab", {"pullRequests": LABELS | DRAFT, "deviceFlow": True}, ()),
        ("gitlab", {"pullRequests": LABELS | AUTO}, ()),
        ("bitbucket-server", {"pullRequests": AUTO}, ()),
        ("bitbucket-cloud", {"pullRequests": AUTO}, ("pullRequests.autoMerge",)),
        ("azure-devops", {"pullRequests": {"autoMerge": "allowed"}}, ("pullRequests.autoMerge",)),
        ("azure-devops", {"pullRequests": {"autoMerge": "never"}}, ()),
        ("gitea", {"pullRequests": DRAFT}, ()),
        ("forgejo", {"pullRequests": LABELS}, ()),
        ("bitbucket-cloud", {"pullRequests": LABELS}, ("pullRequests.labels",)),
        ("bitbucket-cloud", {"pullRequests": DRAFT}, ()),
        ("bitbucket-cloud", {"deviceFlow": True}, ("deviceFlow",)),
        ("azure-devops", {"deviceFlow": True}, ()),
        ("bitbucket-server", {"pullRequests": DRAFT}, ("pullRequests.draft",)),
        ("gitea", {}, ()),
    ],
)
def test_entry_asks_for_what_its_kind_can_do(
    kind: str, asked: dict[str, Any], unknown: tuple[str, ...]
) -> None:
    forge = Forge.model_validate(
        {"name": "F", "kind": kind, "origin": "https://forge.example", **asked}
    )

    assert unknown_options(forge) == unknown
    if unknown:
        with pytest.raises(Rejected, match=unknown[0]) as caught:
            refuse_unknown_options(forge)
        assert caught.value.reason is ForgeRefusal.NOT_SUPPORTED
