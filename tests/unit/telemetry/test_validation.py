"""Wrong settings and lists are told by a code, a subject, and what was meant."""

from typing import Any

import pytest
from pydantic import ValidationError

from countersign.contracts.forge_list import ForgeList
from countersign.process.faults.validation import Wrong, wrong_document

GITEA = {"name": "Our Gitea", "kind": "gitea", "origin": "https://git.example"}


def wrong(*forges: Any) -> list[Wrong]:
    document = {"forges": list(forges)}
    with pytest.raises(ValidationError) as refused:
        ForgeList.model_validate(document)
    return list(wrong_document(refused.value, document, ForgeList))


@pytest.mark.parametrize(
    ("written", "code", "place", "meant"),
    [
        ({"clientID": "x"}, "extra_forbidden", "clientID", "clientId"),
        ({"clientSecret": "x"}, "extra_forbidden", "clientSecret", "clientSecretFile"),
        ({"client_secret_fil": "x"}, "extra_forbidden", "client_secret_fil", "clientSecretFile"),
        ({"colour": "x"}, "extra_forbidden", "colour", ""),
        ({"kind": "Gitae"}, "literal_error", "kind", "gitea"),
        ({"origin": "https://git.example/"}, "slash_at_end", "origin", ""),
        ({"origin": "https://git.Example"}, "upper_case", "origin", ""),
        ({"origin": "https://u:made-up@git.example"}, "no_origin", "origin", ""),
        ({"proxy": "proxy.example/"}, "no_origin", "proxy", ""),
        ({"pullRequests": {"label": []}}, "extra_forbidden", "pullRequests, label", "labels"),
        ({"pullRequests": {"labels": ["a,b"]}}, "pattern", "pullRequests, labels entry 1", ""),
        ({"pullRequests": {"branchPrefix": "/"}}, "pattern", "pullRequests, branchPrefix", ""),
        ({"webhooks": [{"name": "shop", "repositories": ["s/*"]}]}, "missing",
         "webhooks 'shop', secretFile", ""),
        ({"webhooks": [{"secretFile": "/x", "repositories": ["s/*"]}]}, "missing",
         "webhooks entry 1, name", ""),
        ({"webhooks": [{"name": "A b", "secretFile": "/x", "repositories": ["s/*"]}]}, "pattern",
         "webhooks 'A b', name", ""),
    ],
)  # fmt: skip
def test_field_of_a_forge_is_told_by_name(written: Any, code: str, place: str, meant: str) -> None:
    (found,) = wrong({**GITEA, **written})

    assert (found.code, found.subject) == (code, f"forges 'Our Gitea', {place}")
    assert found.meant == meant
    assert "made-up" not in str(found)


def test_field_without_an_alias_is_found_by_its_name() -> None:
    (found,) = wrong({**GITEA, "reposotories": {}})

    assert found.meant == "repositories"


def test_forge_without_a_name_is_counted() -> None:
    (found,) = wrong(GITEA, {"kind": "github", "origin": "https://github.com"})

    assert (found.code, found.subject) == ("missing", "forges entry 2, name")


def test_rule_of_a_whole_forge_is_told_of_it_without_a_password() -> None:
    (found,) = wrong({**GITEA, "api": "https://u:made-up-password@git.example"})

    assert (found.code, found.subject) == ("value_error", "forges 'Our Gitea'")
    assert "made-up-password" not in str(found)


@pytest.mark.parametrize("name", ["two\nlines", 7, "", {"a": "b"}])
def test_name_that_is_none_is_not_repeated(name: Any) -> None:
    assert all("two\nlines" not in str(one) for one in wrong({**GITEA, "name": name, "kind": "x"}))


def test_no_regular_expression_is_told() -> None:
    patterns: list[Wrong] = wrong({**GITEA, "origin": "x", "webhooks": [{"name": "*"}]})

    assert all("^" not in str(one) and "[a-z" not in str(one) for one in patterns)
