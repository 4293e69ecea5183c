"""New content for the cluster, committed inside the forge's Pod by its own code."""

from typing import Final

from cluster.machine import Machine

MANY: Final = 100

_RELEASE: Final = """
from pathlib import Path
from countersign.local.demo.layout import Layout
from countersign.local.demo.walk.releasing import release
versions = {release(Layout(Path("/state")), name) for name in ("checkout", "catalog")}
assert len(versions) == 1, versions
print(versions.pop())
"""
# Each with a stored token that acts by itself, so that all are asked for at once.
_MANY: Final = """
from datetime import UTC, datetime
from pathlib import Path
from dulwich.repo import Repo
from countersign.local.forge.git import objects
from countersign.local.forge.git.objects import Identity, NewCommit
RELEASE = '''apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: many-%(n)03d, namespace: many-%(stage)s}
spec:
  interval: 5m
  chart:
    spec:
      chart: podinfo
      version: %(version)s # {"$promotion": "shop:many-%(n)03d:%(stage)s"}
      sourceRef: {kind: HelmRepository, name: podinfo, namespace: flux-system}
'''
PIPELINE = '''apiVersion: pipelines.weave.works/v1alpha1
kind: Pipeline
metadata: {name: many-%(n)03d, namespace: shop}
spec:
  appRef: {apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, name: many-%(n)03d}
  environments:
  - name: dev
    targets: [{namespace: many-dev}]
  - name: prod
    targets: [{namespace: many-prod}]
  promotion:
    strategy:
      pull-request:
        type: github
        url: %(url)s/shop/gitops.git
        baseBranch: main
        path: apps/many-%(n)03d
        secretRef: {name: flux-bot-token}
'''
files = {}
for n in range(@COUNT@):
    for stage, version in (("dev", "6.9.0"), ("prod", "6.8.0")):
        text = RELEASE % {"n": n, "stage": stage, "version": version}
        files["apps/many-%03d/%s/release.yaml" % (n, stage)] = text
    files["pipelines/many-%03d.yaml" % n] = PIPELINE % {"n": n, "url": "@URL@"}
with Repo("/state/forge/repositories/shop/gitops.git") as repo:
    head = objects.branch_sha(repo, "main")
    changes = {path: (objects.MODE_FILE, objects.write_blob(repo, text.encode()))
        for path, text in files.items()}
    who = Identity(name="Grace", email="grace@example.invalid", when=datetime.now(UTC))
    tree = objects.write_tree(repo, objects.tree_of(repo, head), changes)
    new = NewCommit(tree=tree, parents=[head], author=who, committer=who, message="Add many")
    assert objects.set_ref(
        repo, "refs/heads/main", old=head, new=objects.write_commit(repo, new))
print(len(files))
"""


def release(machine: Machine) -> str:
    """Commit the same new version of two applications to dev; returns it."""
    return _in_forge(machine, _RELEASE)


def many(machine: Machine) -> None:
    """Commit a hundred applications more, each with something to promote."""
    url = f"http://localhost:{machine.forge_port}"
    code = _MANY.replace("@COUNT@", str(MANY)).replace("@URL@", url)
    assert _in_forge(machine, code) == str(3 * MANY)


def _in_forge(machine: Machine, code: str) -> str:
    command = ("exec", "-i", "deployment/forge", "-c", "forge", "--", "/app/bin/python", "-")
    return machine.kubectl(*command, stdin=code).strip()
