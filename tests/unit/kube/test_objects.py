"""Fields and versions of objects, whatever somebody wrote into them."""

import pytest

from countersign.kube.objects import is_earlier

LONG = "9" * 5_000


@pytest.mark.parametrize(
    ("version", "than", "earlier"),
    [
        ("9", "10", True),
        ("10", "9", False),
        ("10", "10", False),
        (LONG, LONG + "0", True),
        (LONG + "0", LONG, False),
        ("", "10", False),
        ("x", "10", False),
        ("9", "x", False),
        ("\u0661", "10", False),
    ],
    ids=[
        "earlier", "later", "same", "long-earlier", "long-later", "none", "no-number",
        "than-no-number", "another-script",
    ],
)  # fmt: skip
def test_versions_are_compared_as_numbers_however_long(
    version: str, than: str, *, earlier: bool
) -> None:
    assert is_earlier(version, than=than) is earlier
