"""Before the service starts, it says what is wrong with an entry of the forge list."""

from pathlib import Path

import pytest

from countersign.approval.bootstrap import check_entries
from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.dialects.refusals import ForgeRefusal

SIGN_IN = "https://login.microsoftonline.com/7f3c1f8e-0b6d-4a52-9a35-3f1f1c5f9d10"


def entry(folder: Path, *, sign_in: str = "", client_id: str = "example") -> Forge:
    (folder / "secret").write_text("example-client-secret")
    return Forge(
        name="Azure",
        kind="azure-devops",
        origin="https://dev.azure.com",
        sign_in=sign_in,
        client_id=client_id,
        client_secret_file=str(folder / "secret"),
    )


@pytest.mark.parametrize("sign_in", ["", "https://login.microsoftonline.com/common"])
def test_entry_that_does_not_say_where_people_sign_in_is_refused(
    tmp_path: Path, sign_in: str
) -> None:
    with pytest.raises(Rejected, match="signIn"):
        check_entries((entry(tmp_path, sign_in=sign_in),))


def test_entry_that_says_so_is_taken_and_one_for_stored_tokens_needs_none(tmp_path: Path) -> None:
    check_entries((entry(tmp_path, sign_in=SIGN_IN), entry(tmp_path, client_id="")))


def test_entry_that_asks_for_a_sign_in_by_code_is_refused_where_its_kind_has_none() -> None:
    gitea = Forge(name="G", kind="gitea", origin="https://git.example", device_flow=True)

    with pytest.raises(Rejected, match="deviceFlow") as caught:
        check_entries((gitea,))

    assert caught.value.reason is ForgeRefusal.NOT_SUPPORTED
