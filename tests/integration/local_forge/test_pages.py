"""What a person sees and clicks, without JavaScript."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from checked_forge import REPO
from doubles.local_forge import RunningForge
from doubles.local_forge_browser import read_form

NOTICE = "for demonstrations and tests"


@pytest.fixture
async def browser(forge: RunningForge) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(
        base_url=forge.origin, timeout=10, trust_env=False, follow_redirects=True
    ) as client:
        yield client


async def _sign_in(
    browser: httpx2.AsyncClient, login: str, password: str = "demo"
) -> httpx2.Response:
    form = read_form((await browser.get(f"/login?return_to=/{REPO}")).text)
    assert form is not None
    return await browser.post(
        form.action, data={**form.fields, "login": login, "password": password}
    )


def _opened(forge: RunningForge) -> str:
    forge.commit(REPO, {"apps/prod.yaml": "version: 7 # <b>\n"}, branch="change")
    pull = forge.open(REPO, head="change", by="ada", title="Promote <script>x</script>")
    return f"/{REPO}/pull/{pull.number}"


async def test_every_page_says_what_it_is(forge: RunningForge, browser: httpx2.AsyncClient) -> None:
    path = _opened(forge)
    await _sign_in(browser, "ada")

    for page in ("/", "/login", f"/{REPO}", path, f"/{REPO}/blob/main/README.md", "/no/where"):
        answer = await browser.get(page)
        assert NOTICE in answer.text, page
        assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_signing_in_leads_back_to_where_one_came_from(browser: httpx2.AsyncClient) -> None:
    page = await _sign_in(browser, "ada")

    assert page.url.path == f"/{REPO}"
    assert "signed in as" in page.text
    assert "apps/" in page.text


async def test_a_wrong_password_stays_on_the_page(browser: httpx2.AsyncClient) -> None:
    page = await _sign_in(browser, "ada", "wrong")

    assert page.status_code == 422
    assert "Choose a person" in page.text


async def test_signing_in_makes_a_new_session(browser: httpx2.AsyncClient) -> None:
    await browser.get("/login")
    before = next(iter(browser.cookies.jar)).value
    await _sign_in(browser, "ada")
    after = next(iter(browser.cookies.jar))

    assert after.value != before
    assert after.name.startswith("countersign_local_forge_")
    assert after.has_nonstandard_attr("HttpOnly")


async def test_signing_in_never_leads_to_another_site(browser: httpx2.AsyncClient) -> None:
    for target in ("//evil.example/", "https://evil.example/", "/\\evil.example"):
        form = read_form((await browser.get("/login", params={"return_to": target})).text)
        assert form is not None
        assert form.fields["return_to"] == "/"


async def test_a_writer_merges_on_the_page(
    forge: RunningForge, browser: httpx2.AsyncClient
) -> None:
    path = _opened(forge)
    await _sign_in(browser, "ada")
    page = await browser.get(path)
    form = read_form(page.text)
    assert form is not None

    merged = await browser.post(f"{path}/merge", data=form.fields)

    assert "Promote &lt;script&gt;" in page.text
    assert "version: 7" in page.text
    assert "merged by" in merged.text
    assert forge.pull(REPO, 1).merged_by == "ada"
    assert forge.read(REPO, "apps/prod.yaml") == b"version: 7 # <b>\n"


async def test_a_writer_closes_on_the_page(
    forge: RunningForge, browser: httpx2.AsyncClient
) -> None:
    path = _opened(forge)
    await _sign_in(browser, "ada")
    form = read_form((await browser.get(path)).text)
    assert form is not None

    await browser.post(f"{path}/close", data=form.fields)

    assert forge.pull(REPO, 1).state_word == "CLOSED"


async def test_a_merge_of_something_newer_than_was_shown_is_refused(
    forge: RunningForge, browser: httpx2.AsyncClient
) -> None:
    path = _opened(forge)
    await _sign_in(browser, "ada")
    form = read_form((await browser.get(path)).text)
    assert form is not None
    forge.commit(REPO, {"apps/prod.yaml": "version: 66\n"}, branch="change")

    answer = await browser.post(f"{path}/merge", data=form.fields)

    assert answer.status_code == 409
    assert "Head branch was modified" in answer.text
    assert forge.pull(REPO, 1).is_open


async def test_a_reader_sees_but_cannot_merge(
    forge: RunningForge, browser: httpx2.AsyncClient
) -> None:
    path = _opened(forge)
    home = await _sign_in(browser, "bob")
    page = await browser.get(path)
    form = read_form(home.text.replace('action="/logout"', 'action="/x"'))
    assert form is not None

    answer = await browser.post(f"{path}/merge", data=form.fields)

    assert "You have no right to merge this." in page.text
    assert answer.status_code == 403
    assert forge.pull(REPO, 1).is_open


@pytest.mark.parametrize("login", ["", "eve"], ids=["nobody", "stranger"])
async def test_a_private_repository_is_not_there_for_others(
    forge: RunningForge, browser: httpx2.AsyncClient, login: str
) -> None:
    path = _opened(forge)
    if login:
        await _sign_in(browser, login)

    for page in (f"/{REPO}", path, f"{path}.diff", f"/{REPO}/blob/main/README.md"):
        assert (await browser.get(page)).status_code == 404


async def test_forms_of_other_sites_do_nothing(
    forge: RunningForge, browser: httpx2.AsyncClient
) -> None:
    path = _opened(forge)
    await _sign_in(browser, "ada")
    form = read_form((await browser.get(path)).text)
    assert form is not None

    unsigned = await browser.post(f"{path}/merge", data={})
    foreign = await browser.post(
        f"{path}/merge", data=form.fields, headers={"origin": "http://127.0.0.1:8080"}
    )

    assert (unsigned.status_code, foreign.status_code) == (403, 403)
    assert forge.pull(REPO, 1).is_open


async def test_a_commit_and_a_file_have_pages(
    forge: RunningForge, browser: httpx2.AsyncClient
) -> None:
    sha = forge.commit(REPO, {"apps/prod.yaml": "version: 9\n"}, branch="feature/with-slash")
    await _sign_in(browser, "ada")

    commit = await browser.get(f"/{REPO}/commit/{sha}")
    before = forge.commit(REPO, {"apps/prod.yaml": "version: 8\n"}, branch="feature/before")
    comparison = await browser.get(f"/{REPO}/compare/{before}...{sha}")
    unknown = await browser.get(f"/{REPO}/compare/{'0' * 40}...{sha}")
    file = await browser.get(f"/{REPO}/blob/feature/with-slash/apps/prod.yaml")
    raw = await browser.get(f"/{REPO}/blob/main/apps/crlf.yaml?raw=1")
    css = await browser.get("/_local/forge.css")

    assert "version: 9" in commit.text
    assert "version: 9" in comparison.text
    assert unknown.status_code == 404
    assert "version: 9" in file.text
    assert raw.content.endswith(b"a: 1\r\nb: 2\r\n")
    assert css.headers["content-type"].startswith("text/css")
