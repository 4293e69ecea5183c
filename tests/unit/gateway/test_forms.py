"""Forms: what is no form of ours is refused, and nothing in a body makes an error."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.gateway.browsing import browser
from unit.gateway.doubles import Scene

from countersign.contracts.errors import Rejected
from countersign.gateway.web.forms import FIELDS_MAX, parse_form

KIND = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
CASES = [
    (b"--x\r\nContent-Disposition: form-data\r\n\r\n", f"{MULTIPART}; boundary=x"),
    (b"--x", MULTIPART),
    (b"\xff\xfe=1", KIND),
    (b"a=1", "text/plain"),
    (b"a=1", ""),
    (b"&".join(b"f%d=1" % i for i in range(FIELDS_MAX + 1)), KIND),
]


@pytest.mark.parametrize(("body", "kind"), CASES, ids=range(len(CASES)))
async def test_malformed_form_is_refused_with_a_page(body: bytes, kind: str) -> None:
    """Malformed multipart gave a traceback to somebody who had not even signed in."""
    async with browser(Scene(), person="") as client:
        answer = await client.post("/sign-in", content=body, headers={"Content-Type": kind})

    assert answer.status_code == 403
    assert "bad_form" in answer.text


@given(body=st.binary(max_size=200), kind=st.sampled_from([KIND, f"{KIND}; charset=x"]))
def test_any_body_is_read_or_refused(body: bytes, kind: str) -> None:
    with contextlib.suppress(Rejected):
        assert len(parse_form(body, kind=kind)) <= FIELDS_MAX
