"""The first contents of the demonstration's repositories. Pure text."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

NAMESPACE: Final = "shop"
ENVIRONMENTS: Final = ("dev", "test", "staging", "prod")
NEW, OLD = "6.9.0", "6.8.0"
BOT_SECRET: Final = "flux-bot-token"  # noqa: S105 - the name of a Secret
BOT: Final = "flux-bot"
# The second target of this environment never gets healthy, so nothing goes on from there.
UNHEALTHY: Final = ("search-test-b", "search")


@dataclass(frozen=True, kw_only=True)
class Gitops:
    """The values that the files name: the address of the forge, commits of the application."""

    forge_url: str
    website_url: str
    website_commit: str

    def files(self) -> dict[str, str]:
        """Path to content; each environment has a folder of its own."""
        return dict(self._files())

    def _files(self) -> Iterator[tuple[str, str]]:
        yield "README.md", _README
        yield "sources/podinfo.yaml", _HELM_REPOSITORY
        for name in ("checkout", "catalog"):
            for environment in ENVIRONMENTS:
                version = NEW if environment == "dev" else OLD
                release = _release(name, environment, f"{name}-{environment}", version)
                yield f"apps/{name}/{environment}/release.yaml", release
        yield from _search()
        for environment in ENVIRONMENTS:
            yield f"apps/website/{environment}/site.yaml", self._site(environment)
        yield "pipelines/checkout.yaml", _pipeline("checkout", self._delegated("checkout"))
        yield "pipelines/search.yaml", _search_pipeline(self._delegated("search"))
        yield "pipelines/website.yaml", _website_pipeline(self._delegated("website"))
        yield "pipelines/catalog.yaml", self._catalog_pipeline()

    def _delegated(self, application: str) -> str:
        return _promotion(url=f"{self.forge_url}/shop/gitops.git", path=f"apps/{application}")

    def _catalog_pipeline(self) -> str:
        stored = self._delegated("catalog") + f"        secretRef:\n          name: {BOT_SECRET}\n"
        text = _pipeline("catalog", stored)
        # Production waits for a person even though the token is stored.
        manual = "    promotion:\n      manual: true\n" + _indented(stored.partition("\n")[2])
        return text + manual

    def _site(self, environment: str) -> str:
        pin = ""
        if environment != "dev":
            marker = f'{{"$promotion": "{NAMESPACE}:website:{environment}:commit"}}'
            pin = f"\n    commit: {self.website_commit} # {marker}"
        return _SITE.format(environment=environment, url=self.website_url, pin=pin)


def website_files(*, greeting: str) -> dict[str, str]:
    """The application repository: manifests that each environment applies from some commit."""
    return {"README.md": "# Website\n", "deploy/website.yaml": _WEBSITE.format(greeting=greeting)}


def _search() -> Iterator[tuple[str, str]]:
    for environment in ENVIRONMENTS:
        version = NEW if environment in {"dev", "test"} else OLD
        for namespace in _search_namespaces(environment):
            release = _release("search", environment, namespace, version)
            yield f"apps/search/{environment}/{namespace}.yaml", release


def _search_namespaces(environment: str) -> tuple[str, ...]:
    if environment == "test":
        return ("search-test-a", "search-test-b")
    return (f"search-{environment}",)


def _release(name: str, environment: str, namespace: str, version: str) -> str:
    marker = f'{{"$promotion": "{NAMESPACE}:{name}:{environment}"}}'
    return _RELEASE.format(name=name, namespace=namespace, version=version, marker=marker)


def _promotion(*, url: str, path: str) -> str:
    return _PROMOTION.format(url=url, path=path)


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())


def _pipeline(name: str, promotion: str) -> str:
    environments = "".join(
        f"  - name: {e}\n    targets:\n    - namespace: {name}-{e}\n" for e in ENVIRONMENTS
    )
    return _PIPELINE.format(
        name=name,
        api="helm.toolkit.fluxcd.io/v2",
        kind="HelmRelease",
        promotion=promotion,
        environments=environments,
    )


def _search_pipeline(promotion: str) -> str:
    environments = ""
    for environment in ENVIRONMENTS:
        targets = "".join(f"    - namespace: {n}\n" for n in _search_namespaces(environment))
        environments += f"  - name: {environment}\n    targets:\n{targets}"
    return _PIPELINE.format(
        name="search",
        api="helm.toolkit.fluxcd.io/v2",
        kind="HelmRelease",
        promotion=promotion,
        environments=environments,
    )


def _website_pipeline(promotion: str) -> str:
    text = _pipeline("website", promotion)
    return text.replace("helm.toolkit.fluxcd.io/v2", "kustomize.toolkit.fluxcd.io/v1").replace(
        "HelmRelease", "Kustomization"
    )


_README: Final = """# What runs where

`apps/<application>/<environment>/` says what an environment runs; `pipelines/` says in which order
a revision goes through them. Countersign changes the scalars with a `$promotion` comment, by pull
request.
"""

_HELM_REPOSITORY: Final = """apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata:
  name: podinfo
  namespace: flux-system
spec:
  interval: 5m
  url: https://stefanprodan.github.io/podinfo
"""

_RELEASE: Final = """apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: {name}
  namespace: {namespace}
spec:
  interval: 5m
  chart:
    spec:
      chart: podinfo
      version: {version} # {marker}
      sourceRef:
        kind: HelmRepository
        name: podinfo
        namespace: flux-system
  values:
    ui:
      message: "{name} in {namespace}"
"""

_SITE: Final = """apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: website
  namespace: website-{environment}
spec:
  interval: 1m
  url: {url}
  ref:
    branch: main{pin}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: website
  namespace: website-{environment}
spec:
  interval: 1m
  path: ./deploy
  prune: true
  wait: true
  sourceRef:
    kind: GitRepository
    name: website
"""

_WEBSITE: Final = """apiVersion: v1
kind: ConfigMap
metadata:
  name: website
data:
  index.html: "<h1>{greeting}</h1>"
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: website
spec:
  selector:
    matchLabels: {{app: website}}
  template:
    metadata:
      labels: {{app: website}}
    spec:
      containers:
      - name: nginx
        image: nginx:1.29
"""

_PIPELINE: Final = """apiVersion: pipelines.weave.works/v1alpha1
kind: Pipeline
metadata:
  name: {name}
  namespace: shop
spec:
  appRef:
    apiVersion: {api}
    kind: {kind}
    name: {name}
{promotion}  environments:
{environments}"""

_PROMOTION: Final = """  promotion:
    strategy:
      pull-request:
        type: github
        url: {url}
        baseBranch: main
        path: {path}
"""
