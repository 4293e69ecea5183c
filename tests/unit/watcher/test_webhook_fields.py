"""The pull requests that our senders send have the fields that the vendors describe."""

import json
from typing import Any

import pytest
import reference
from doubles.webhook_senders import azure_devops, bitbucket_cloud, bitbucket_server

# The described object is also what is sent in a webhook; GitLab's is not.
DESCRIBED = [
    pytest.param("bitbucket-cloud", "pullrequest", bitbucket_cloud, "pullrequest"),
    pytest.param("bitbucket-dc", "RestPullRequest", bitbucket_server, "pullRequest"),
    pytest.param("azure-devops", "GitPullRequest", azure_devops, "resource"),
]
# Only people have a nickname, and the description says there that it is some account; of merge
# commits only the vendor's example of a webhook tells.
ELSEWHERE = {"closed_by.nickname", "properties"}


class Schemas:
    def __init__(self, vendor: str) -> None:
        path = reference.skip_without(f"api/{vendor}.json")
        self._all: Any = json.loads(path.read_text())["components"]["schemas"]

    def of(self, name: str) -> Any:
        return self._all[name]

    def properties(self, schema: Any) -> dict[str, Any]:
        """Its own, and those of all that it is made of."""
        if "$ref" in schema:
            return self.properties(self.of(schema["$ref"].rpartition("/")[2]))
        found = dict(schema.get("properties", {}))
        for part in (*schema.get("allOf", ()), *schema.get("anyOf", ())):
            found |= self.properties(part)
        return found


def unknown(payload: Any, schema: Any, schemas: Schemas, *, at: str = "") -> list[str]:
    if not isinstance(payload, dict):
        return []
    known = schemas.properties(schema)
    odd = [f"{at}{name}" for name in payload if name not in known]
    return odd + [
        path
        for name, value in payload.items()
        if name in known
        for path in unknown(value, known[name], schemas, at=f"{at}{name}.")
    ]


@pytest.mark.parametrize(("vendor", "schema", "write", "place"), DESCRIBED)
def test_fields_that_are_read_are_fields_that_the_vendor_describes(
    vendor: str, schema: str, write: Any, place: str
) -> None:
    schemas = Schemas(vendor)

    for merged in (True, False):
        _, payload = write(merged=merged)
        odd = unknown(payload[place], schemas.of(schema), schemas)
        assert set(odd) <= ELSEWHERE
