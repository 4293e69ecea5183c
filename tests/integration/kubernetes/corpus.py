"""Pipelines as people have them: those of the documents and test suites of Weave, and odd ones."""

import copy
import random
from collections.abc import Iterable
from typing import Any, Final

Json = dict[str, Any]

_HELM: Final = "helm.toolkit.fluxcd.io/v2beta1"


def pull_request(kind: str = "github", **more: Any) -> Json:
    return {
        "type": kind,
        "url": "https://github.com/acme/fleet",
        "baseBranch": "main",
        "secretRef": {"name": "promotion-credentials"},
        **more,
    }


def pipeline(name: str, *environments: Json, **spec: Any) -> Json:
    app = {"apiVersion": _HELM, "kind": "HelmRelease", "name": "podinfo"}
    return {
        "apiVersion": "pipelines.weave.works/v1alpha1",
        "kind": "Pipeline",
        "metadata": {"name": name},
        "spec": {"appRef": app, "environments": list(environments), **spec},
    }


def environment(name: str, *namespaces: str, **more: Any) -> Json:
    return {"name": name, "targets": [{"namespace": n} for n in namespaces], **more}


def remote(name: str, cluster: str, in_it: str = "podinfo", **more: Any) -> Json:
    ref = {"kind": "GitopsCluster", "name": cluster, **more}
    return {"name": name, "targets": [{"namespace": in_it, "clusterRef": ref}]}


def documented() -> list[Json]:
    """One for each kind of example that the documents of Weave show."""
    helm = [environment("dev", "podinfo-dev"), environment("prod", "podinfo-prod")]
    notify: Json = {"strategy": {"notification": {}}}
    return [
        pipeline("without-promotion", *helm),
        pipeline("podinfo-01", *helm, promotion={"strategy": {"pull-request": pull_request()}}),
        pipeline(
            "podinfo-02",
            remote("dev", "dev", "podinfo-02-dev"),
            {
                "name": "test",
                "targets": [
                    {
                        "namespace": f"podinfo-02-{part}",
                        "clusterRef": {"kind": "GitopsCluster", "name": part},
                    }
                    for part in ("qa", "perf")
                ],
            },
            remote("prod", "prod", "podinfo-02-prod"),
        ),
        pipeline(
            "gitlab",
            *helm,
            promotion={"strategy": {"pull-request": pull_request("gitlab")}},
        ),
        pipeline(
            "bitbucket",
            *helm,
            promotion={"strategy": {"pull-request": pull_request("bitbucket-server")}},
        ),
        pipeline("notification", *helm, promotion=notify),
        pipeline(
            "manual",
            *helm,
            promotion={"manual": True, "strategy": {"pull-request": pull_request()}},
        ),
        pipeline(
            "signed",
            *helm,
            promotion={"strategy": {"secretRef": {"name": "hmac"}, "pull-request": pull_request()}},
        ),
        pipeline(
            "own-promotion",
            environment("dev", "podinfo-dev"),
            environment(
                "prod",
                "podinfo-prod",
                promotion={"manual": True, "strategy": {"pull-request": pull_request("gitlab")}},
            ),
            promotion=notify,
        ),
    ]


def odd() -> list[Json]:
    """What nobody should write, and what is accepted all the same."""
    strategy: Json = {"pull-request": pull_request(), "notification": {}, "secretRef": {"name": ""}}
    return [
        pipeline("no-environments"),
        pipeline("no-targets", environment("dev"), environment("prod")),
        pipeline("one-environment", environment("dev", "a")),
        pipeline("twice", environment("dev", "a"), environment("dev", "b")),
        pipeline("no-name", environment("", "")),
        pipeline("odd-names", environment("Prod EU/1 %~ü日本", "a"), environment("x" * 400, "b")),
        pipeline("empty-strategy", environment("dev", "a"), promotion={"strategy": {}}),
        pipeline("both-strategies", environment("dev", "a"), promotion={"strategy": strategy}),
        pipeline(
            "odd-url",
            environment("dev", "a"),
            promotion={
                "strategy": {"pull-request": pull_request(url="ssh://x", baseBranch="")},
            },
        ),
        pipeline(
            "other-cluster",
            remote("dev", "c", apiVersion="x/v9", namespace="fleet"),
        ),
        pipeline(
            "other-kind",
            environment("dev", "a"),
            appRef={"apiVersion": "", "kind": "Anything", "name": ""},
        ),
        pipeline("many", *(environment(f"e{i}", "a", "b") for i in range(150))),
    ]


def generated(schema: Json, *, count: int, seed: int) -> list[Json]:
    """Objects that a schema allows, and some of them spoilt."""
    specs = _several(schema["properties"]["spec"], count=count, seed=seed)
    return [{**pipeline(f"made-{number}"), "spec": spec} for number, spec in enumerate(specs)]


def generated_statuses(schema: Json, *, count: int, seed: int) -> list[Json]:
    """The same for what a controller may have written."""
    return _several(schema["properties"]["status"], count=count, seed=seed)


def sprinkled(bodies: Iterable[Json], names: Iterable[str], *, seed: int) -> list[Json]:
    """The same objects with fields of these names in any place, and anything in them."""
    chance = random.Random(seed)  # noqa: S311
    copies = copy.deepcopy(list(bodies))
    for body in copies:
        _sprinkle(body["spec"], sorted(names), chance)
    return copies


def _sprinkle(value: Any, names: list[str], chance: random.Random) -> None:
    if isinstance(value, list):
        for entry in value:
            _sprinkle(entry, names, chance)
    if isinstance(value, dict):
        for inner in [*value.values()]:
            _sprinkle(inner, names, chance)
        odd = [7, -1, 2.5, True, None, "two", "", [], {}, [{}], {"a": [1]}, [None], "x" * 300]
        value.update({name: chance.choice(odd) for name in names if chance.random() < 0.5})


def _several(schema: Json, *, count: int, seed: int) -> list[Json]:
    # Not for secrets: the same objects each time are what is wanted.
    chance = random.Random(seed)  # noqa: S311
    found = []
    for number in range(count):
        made = _made(schema, chance)
        if number % 4 == 0:
            _spoil(made, chance)
        found.append(made)
    return found


def _made(schema: Json, chance: random.Random) -> Any:
    match schema.get("type"):
        case "object" if "additionalProperties" in schema:
            names = chance.sample(["dev", "Prod EU", "", "日本", "a/b.c"], chance.randrange(4))
            return {name: _made(schema["additionalProperties"], chance) for name in names}
        case "object":
            required = schema.get("required", [])
            return {
                name: _made(inner, chance)
                for name, inner in schema.get("properties", {}).items()
                if name in required or chance.random() < 0.6
            }
        case "array":
            return [_made(schema["items"], chance) for _ in range(chance.randrange(4))]
        case "boolean":
            return chance.random() < 0.5
        case "integer":
            return chance.randrange(100)
        case _:
            return chance.choice(_words(schema))


def _words(schema: Json) -> list[str]:
    if schema.get("format") == "date-time":
        return ["2026-11-01T10:00:00Z", "1999-01-01T00:00:00.5+02:00"]
    if "pattern" in schema:
        return ["Ready", "PromotionPending", "A", "Ready", "aB3", "a_b", "9", "example.org/Ready"]
    words: list[str] = schema.get(
        "enum", ["", "a", "Prod EU", "日本", "a/b:c", "x" * 300, "true", "1"]
    )
    return words


def _spoil(value: Any, chance: random.Random) -> None:
    """Put something of another type, or nothing, in one place."""
    while isinstance(value, dict) and value:
        name = chance.choice(sorted(value))
        inner = value[name]
        if isinstance(inner, list) and inner:
            inner = inner[0]
        if not isinstance(inner, dict) or not inner or chance.random() < 0.3:
            value[name] = chance.choice([7, None, [], {}, "sourcehut", [{}]])
            return
        value = inner
