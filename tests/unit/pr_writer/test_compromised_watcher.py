"""A watcher that asks otherwise than the Pipeline says: what it gets, and what it never gets.

The writer does not read the Pipeline again. SECURITY.md and docs/threat-model.md say the same.
"""

from pathlib import Path
from typing import Any

import pytest
from doubles import stories

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge, ForgeList
from countersign.contracts.life.folding import advance
from countersign.contracts.messages import CredentialMode, PromotionRequested, SecretRef
from countersign.contracts.promotion import State
from countersign.dialects.refusals import ForgeRefusal
from countersign.pr_writer.executor.credentials import stored_credential
from countersign.pr_writer.jobs.model import SecretSource, mode_to_open, opening
from countersign.pr_writer.jobs.refusals import JobRefusal
from countersign.pr_writer.parent.dispatching import AccessBook

LISTED = Forge(
    name="F", kind="github", origin="https://github.com", repositories={"shop": ("shop/*",)}
)


def asked(**changes: Any) -> PromotionRequested:
    secret = SecretRef(namespace="shop", name="fleet")
    return stories.requested(**{"mode": CredentialMode.STORED, "secret": secret, **changes})


def elsewhere(**changes: str) -> PromotionRequested:
    return asked(destination=stories.DESTINATION.model_copy(update=changes))


async def credential_for(request: PromotionRequested, folder: Path) -> str:
    promotion = advance(None, request)
    assert promotion is not None
    book = AccessBook(ForgeList(forges=(LISTED,)), secrets=SecretSource(folder=str(folder)))
    access = book.access(request.destination.origin, mode=request.mode)
    found = await stored_credential(opening(promotion, access=access, approval=None))
    return found.token.reveal()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for namespace in ("shop", "bank"):
        secret = tmp_path / namespace / "fleet"
        secret.mkdir(parents=True)
        (secret / "token").write_text(f"made-up-token-of-{namespace}")
    return tmp_path


@pytest.mark.parametrize("manual", [True, False])
def test_nobodys_delegation_is_used_without_their_consent(manual: bool) -> None:  # noqa: FBT001
    request = asked(mode=CredentialMode.DELEGATED, manual=manual, secret=None)

    promotion = advance(None, request)

    assert promotion is not None
    assert promotion.state is State.WAITING
    assert mode_to_open(promotion, request) is None


async def test_stored_token_of_the_namespace_is_used_where_manual_is_left_out(folder: Path) -> None:
    """The tables say that with stored tokens the watcher's word is enough."""
    request = asked(manual=False)
    promotion = advance(None, request)

    assert promotion is not None
    assert mode_to_open(promotion, request) is CredentialMode.STORED
    assert await credential_for(request, folder) == "made-up-token-of-shop"


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        pytest.param(elsewhere(repository="bank", owner="bank"), JobRefusal.REPOSITORY_NOT_ALLOWED,
                     id="repository of another namespace"),
        pytest.param(elsewhere(origin="https://evil.example"), ForgeRefusal.FORGE_NOT_LISTED,
                     id="forge that is not listed"),
        pytest.param(asked(secret=SecretRef(namespace="bank", name="fleet")),
                     JobRefusal.CREDENTIAL_MISSING, id="token of another namespace"),
    ],
)  # fmt: skip
async def test_stored_token_goes_nowhere_else(
    request_: PromotionRequested, reason: JobRefusal | ForgeRefusal, folder: Path
) -> None:
    with pytest.raises(Rejected) as caught:
        await credential_for(request_, folder)

    assert caught.value.reason == reason
