"""How the walk reads pages."""

import pytest

from countersign.contracts.errors import Rejected
from countersign.local.demo.walk.browsing import Page, forms_of

PAGE = """
<form action="/sign-out" method="post"><input type="hidden" name="t" value="1"></form>
<form action="/p/shop/x/prod/promote?a=1" method="post">
  <input type="hidden" name="form_token" value="&lt;2&gt;">
  <input type="radio" name="who" value="ada" checked><input type="radio" name="who" value="bob">
  <input name="note"><select name="s"><option value="a"><option value="b" selected></select>
  <button name="go" value="1" formaction="/p/shop/x/prod/approve">Use the stored token</button>
  <button disabled formaction="/never">Never</button>
</form>
"""


def page() -> Page:
    return Page(url="http://127.0.0.1/", status=200, text=PAGE, forms=forms_of(PAGE))


def test_form_is_found_by_where_it_leads() -> None:
    assert page().form("/promote").fields == {
        "form_token": "<2>", "who": "ada", "note": "", "s": "b",
    }  # fmt: skip


def test_form_is_found_by_where_its_button_leads() -> None:
    assert page().form("/approve") is page().forms[1] or page().form("/approve").buttons


def test_disabled_button_leads_nowhere() -> None:
    assert page().find("/never") is None


def test_missing_form_is_told_with_what_is_there() -> None:
    with pytest.raises(Rejected) as caught:
        page().form("/merge")

    assert "/sign-out" in caught.value.message
