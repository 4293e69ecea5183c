"""Pipelines and applications as files or as situations, made short."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from countersign.contracts.message import Message
from countersign.contracts.promotion import Promotion
from countersign.kube.flux.applications import App, AppState
from countersign.kube.flux.rules import read_object
from countersign.kube.objects import ObjectKey
from countersign.kube.pipelines.pipeline import Pipeline
from countersign.process.clocks import Clocks
from countersign.watcher.decision.decisions import after, decide
from countersign.watcher.model import Decision, Link, Situation
from countersign.watcher.reading.directory import Directory

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
# Days stand still, waits do not.
CLOCKS = Clocks(wall=lambda: NOW, monotonic=time.monotonic)


def directory_of(root: Path, **more: Any) -> Directory:
    """The directory as a source of objects, read as a whole once a minute."""
    return Directory(root, reread_s=60, monotonic_s=time.monotonic, sleep=asyncio.sleep, **more)


Json = dict[str, Any]


def pipeline_manifest(
    *names: str, kind: str = "HelmRelease", targets: int = 1, **promotion: Any
) -> Json:
    group = "helm.toolkit.fluxcd.io/v2"
    if kind == "Kustomization":
        group = "kustomize.toolkit.fluxcd.io/v1"
    ask = {"type": "github", "url": "https://github.com/shop/gitops", "baseBranch": "main"}
    strategy = {"pull-request": {**ask, **promotion.pop("ask", {})}}
    return {
        "apiVersion": "pipelines.weave.works/v1alpha1",
        "kind": "Pipeline",
        "metadata": {"name": "checkout", "namespace": "shop", "uid": "uid-1", "generation": 1},
        "spec": {
            "appRef": {"apiVersion": group, "kind": kind, "name": "podinfo"},
            "environments": [
                {
                    "name": name,
                    "targets": [{"namespace": namespace(name, t)} for t in range(targets)],
                }
                for name in names
            ],
            "promotion": {"strategy": strategy, **promotion},
        },
    }


def namespace(environment: str, target: int = 0) -> str:
    return f"{environment}-{target}"


def release(
    environment: str, version: str, *, target: int = 0, phase: str = "healthy", was: str = "6.8.4"
) -> Json:
    """A HelmRelease that runs, tries, or has failed with `version`."""
    healthy = phase == "healthy"
    ready = {"healthy": "True", "progressing": "Unknown"}.get(phase, "False")
    reason = "RollbackSucceeded" if phase == "rolled back" else phase
    conditions = [condition("Ready", ready, reason=reason, message=phase)]
    if phase == "progressing":
        conditions.append(condition("Reconciling", "True", reason="Progressing"))
    if phase in {"failed", "rolled back"}:
        conditions.append(condition("Stalled", "True", reason="RetriesExceeded"))
    newest = {"healthy": (version, "deployed"), "failed": (version, "failed")}
    running, status = newest.get(phase, (was, "deployed"))
    history = [{"chartVersion": running, "status": status, "version": 3}]
    if not healthy:
        history.append({"chartVersion": was, "status": "deployed", "version": 2})
    return {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {
            "name": "podinfo",
            "namespace": namespace(environment, target),
            "generation": 2,
        },
        "spec": {},
        "status": {
            "observedGeneration": 1 if phase == "progressing" else 2,
            "lastAttemptedRevision": version,
            "conditions": conditions,
            "history": history,
        },
    }


def condition(kind: str, status: str, *, reason: str, message: str = "") -> Json:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": 2,
        "lastTransitionTime": "2026-11-23T08:59:00Z",
    }


class Cluster:
    """Objects, the stream and the status file of one Pipeline, stepped by hand."""

    def __init__(self, *manifests: Json) -> None:
        self.objects: dict[ObjectKey, Any] = {}
        self.promotions: dict[str, Promotion] = {}
        self.links: dict[str, Link] = {}
        self.observed: Any = None
        self.now = NOW
        self.complete = True
        self.sources: dict[ObjectKey, str] = {}
        self.apply(*manifests)

    def apply(self, *manifests: Json) -> Cluster:
        for manifest in manifests:
            record = read_object(manifest)
            self.objects[record.key] = record
        return self

    @property
    def pipeline(self) -> Pipeline:
        return next(o for o in self.objects.values() if isinstance(o, Pipeline))

    def situation(self) -> Situation:
        apps: dict[ObjectKey, AppState] = {
            key: o.state for key, o in self.objects.items() if isinstance(o, App)
        }
        return Situation(
            pipeline=self.pipeline,
            apps=apps,
            source_urls=self.sources,
            promotions=self.promotions,
            links=self.links,
            observed=self.observed,
            complete=self.complete,
            now=self.now,
        )

    def hear(self, *events: Message) -> None:
        self.promotions = after(self.promotions.values(), events)
        for event in events:
            if type(event).__name__ == "PipelineObserved":
                self.observed = event

    def step(self) -> tuple[Message, ...]:
        """Decide, publish, and return what is said about promotions."""
        self.now += timedelta(seconds=1)
        decision: Decision = decide(self.situation())
        if self.pipeline.is_sound:
            self.links = dict(decision.links)
        self.hear(*decision.events)
        return tuple(e for e in decision.events if type(e).__name__ != "PipelineObserved")

    def gate(self, environment: str) -> Any:
        return next(e.gate for e in self.observed.environments if e.name == environment)


def write(path: Path, content: Iterable[Json] | Json | str) -> Path:
    """Write a file as a careful writer does: beside, then in place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(content, str):
        documents = [content] if isinstance(content, dict) else content
        content = "\n---\n".join(json.dumps(d) for d in documents)
    beside = path.with_name(f".{path.name}.tmp")
    beside.write_text(content, encoding="utf-8")
    beside.replace(path)
    return path
