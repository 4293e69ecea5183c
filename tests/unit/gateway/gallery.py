"""A board with everything on it: every state of a gate, long names, findings, credentials."""

from datetime import timedelta

from unit.gateway.doubles import NOW, Scene
from unit.gateway.stories import (
    ADA,
    ADA_THERE,
    Condition,
    Pipeline,
    ago,
    credential,
    warning,
)

from countersign.contracts.messages import (
    CredentialMode,
    FailureReason,
    Finding,
    FindingLevel,
    ForgeUser,
    GateState,
    OpeningStep,
    SecretRef,
    TokenChange,
    TokenChangeKind,
    TokenKind,
    TokenOwnerKind,
    TokenOwnerStanding,
    TokenRisk,
    TokenValidity,
)

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SHA = "4f2c1e9d5b7a8c3e6f0192837465aabbccddeeff"
MANIFEST = """apiVersion: pipelines.weave.works/v1alpha1
kind: Pipeline
metadata:
  name: checkout
  namespace: shop
spec:
  appRef:
    apiVersion: helm.toolkit.fluxcd.io/v2
    kind: HelmRelease
    name: podinfo
  environments:
    - name: dev
    - name: staging
    - name: prod
"""
STORED_MANIFEST = """apiVersion: pipelines.weave.works/v1alpha1
kind: Pipeline
metadata:
  name: cart
  namespace: shop
spec:
  appRef: {apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, name: cart}
  environments:
    - name: dev
    - name: staging
    - name: prod
  promotion:
    strategy:
      pull-request:
        type: github
        url: http://localhost:3000/acme/gitops
        baseBranch: main
        credential: stored
        secretRef:
          name: flux-bot
"""


def rich_board(scene: Scene) -> None:
    _shop(scene)
    _payments(scene)
    _platform(scene)
    _credentials(scene)


def _shop(scene: Scene) -> None:
    checkout = Pipeline("checkout", app="podinfo")
    before = checkout.promotion("prod", "6.8.4", current="6.8.3", at=ago(days=9))
    scene.tell(*before.to_open(31), before.merged(31), before.completed(), traceparent=TRACE)
    waiting = checkout.promotion("prod", "6.9.0", current="6.8.4", at=ago(minutes=12))
    opened = checkout.promotion("staging", "6.9.1", current="6.9.0", below="dev", at=ago(minutes=4))
    scene.tell(
        checkout.observed(
            checkout.environment("dev", "6.9.1", gate=None, since=ago(minutes=5)),
            checkout.environment("staging", "6.9.0", gate=GateState.PENDING),
            checkout.environment("prod", "6.8.4", gate=GateState.PENDING, since=ago(days=9),
                                 clusters=("eu-1", "us-1")),
            manifest=MANIFEST,
        ),
        waiting.requested,
        *opened.to_open(41),
        opened.updated("checks pass, 1 review", 41),
        traceparent=TRACE,
    )  # fmt: skip
    cart = Pipeline("cart", mode=CredentialMode.STORED)
    stored = cart.promotion("prod", "2.14.0", current="2.13.2", at=ago(hours=3), secret="flux-bot")
    bot = ForgeUser(id="9", login="flux-bot")
    past = cart.promotion("prod", "2.13.2", current="2.13.1", at=ago(days=21), secret="flux-bot")
    scene.tell(past.requested, past.opened(22, author=bot), past.merged(22), past.completed())
    merged = cart.promotion("staging", "2.14.1", current="2.14.0", at=ago(minutes=7))
    scene.tell(
        cart.observed(
            cart.environment("dev", "2.14.1", gate=None, since=ago(minutes=20)),
            cart.environment("staging", "2.14.0", gate=GateState.PENDING,
                             condition=Condition.PROGRESSING, since=ago(hours=4)),
            cart.environment("prod", "2.13.2", gate=GateState.PENDING, since=ago(days=21)),
            credentials=(cart.use("flux-bot", "prod"), cart.use("flux-bot", "staging")),
            manifest=STORED_MANIFEST,
        ),
        stored.requested,
        *merged.to_open(40),
        merged.merged(40),
    )  # fmt: skip
    search = Pipeline("search", kind="Kustomization", app="search-api")
    failed = search.promotion("prod", f"main@sha1:{SHA}", current="main@sha1:" + "9" * 40)
    scene.tell(
        search.observed(
            search.environment("dev", f"main@sha1:{SHA}", gate=None, since=ago(hours=2)),
            search.environment("staging", f"main@sha1:{SHA}", since=ago(hours=1)),
            search.environment("prod", "main@sha1:" + "9" * 40, gate=GateState.PENDING),
        ),
        failed.requested,
        failed.begun(),
        failed.granted(),
        failed.failed(),
    )
    invoices = Pipeline("invoices", app="invoice-service")
    rejected = invoices.promotion("prod", "1.22.0", current="1.21.4", at=ago(hours=2))
    asked = invoices.promotion("staging", "1.23.0", current="1.22.0", at=ago(seconds=55))
    scene.tell(
        invoices.observed(
            invoices.environment("dev", "1.23.0", gate=None),
            invoices.environment("staging", "1.22.0", gate=GateState.PENDING),
            invoices.environment("prod", "1.21.4", gate=GateState.PENDING),
        ),
        rejected.requested,
        rejected.rejected(),
        asked.requested,
        asked.begun(by=ADA),
    )


def _payments(scene: Scene) -> None:
    ledger = Pipeline("ledger", namespace="payments")
    undone = ledger.promotion("prod", "3.2.0", current="3.1.9", at=ago(minutes=40))
    scene.tell(
        ledger.observed(
            ledger.environment("dev", "3.3.0", gate=None, condition=Condition.FAILED,
                               message="HelmRelease ledger: upgrade retries exhausted"),
            ledger.environment("staging", "3.2.0", gate=GateState.BLOCKED,
                               gate_message="dev is not healthy: HelmRelease ledger: upgrade "
                               "retries exhausted"),
            ledger.environment("prod", "3.1.9", gate=GateState.PENDING, since=ago(minutes=20)),
        ),
        *undone.to_open(12),
        undone.merged(12, by=ADA_THERE),
        undone.undone("3.1.9"),
    )  # fmt: skip
    gateway = Pipeline("card-gateway-for-the-nordic-and-baltic-region", namespace="payments")
    lost = gateway.promotion("prod", "10.4.0-rc.1+702cabdc4401", current="10.3.2")
    scene.tell(
        gateway.observed(
            gateway.environment("dev", "10.4.0-rc.1+702cabdc4401", gate=None),
            gateway.environment("QA / Über 9", "10.4.0-rc.1+702cabdc4401", since=ago(hours=7)),
            gateway.environment("staging-with-a-long-name", "10.4.0-rc.1+702cabdc4401"),
            gateway.environment("prod", "10.3.2", gate=GateState.PENDING, since=ago(days=40)),
            findings=(
                Finding(level=FindingLevel.WARNING, code="unknown_field",
                        message="Pipeline card-gateway: field spec.promotion.manul is not known; "
                        "did you mean manual?"),
            ),
        ),
        lost.requested,
        lost.begun(),
        lost.granted(),
        lost.lost(),
    )  # fmt: skip
    fraud = Pipeline("fraud", namespace="payments")
    opening = fraud.promotion("prod", "0.9.12", current="0.9.11", at=ago(seconds=62))
    scene.tell(
        fraud.observed(
            fraud.environment("dev", "0.9.12", gate=None),
            fraud.environment("prod", "0.9.11", gate=GateState.PENDING),
        ),
        opening.requested,
        opening.begun(),
        opening.granted(),
        opening.progressed(OpeningStep.READING),
        opening.progressed(OpeningStep.EDITING),
        traceparent=TRACE,
    )


def _platform(scene: Scene) -> None:
    ingress = Pipeline("ingress", namespace="platform", kind="HelmRelease", app="ingress-nginx")
    scene.tell(
        ingress.observed(
            ingress.environment("canary", "4.12.1", gate=None, since=ago(days=3)),
            ingress.environment("eu", "4.12.1", since=ago(days=2)),
            ingress.environment("us", "4.12.1", since=ago(days=2)),
            ingress.environment("ap", "4.12.1", since=ago(days=1)),
        )
    )
    dns = Pipeline("external-dns", namespace="platform")
    scene.tell(
        dns.observed(
            dns.environment("dev", "1.18.0", gate=None),
            dns.environment("prod", "1.17.0", condition=Condition.UNKNOWN, since=ago(hours=1),
                            message="cluster eu-2 cannot be reached", clusters=("eu-1", "eu-2")),
        )
    )  # fmt: skip
    tenants = Pipeline("tenants", namespace="platform", kind="Kustomization")
    scene.tell(
        tenants.observed(
            tenants.environment("dev", f"main@sha1:{SHA}", gate=None),
            tenants.environment("prod", f"main@sha1:{SHA[::-1]}", gate=GateState.NOT_PROMOTABLE,
                                gate_message="this Kustomization is applied from the repository "
                                "we would write to"),
        )
    )  # fmt: skip
    certs = Pipeline("cert-manager", namespace="platform")
    older = certs.promotion("prod", "1.19.0", current="1.18.2", at=ago(days=1))
    newer = certs.promotion("prod", "1.19.1", current="1.18.2", at=ago(hours=5))
    closed = certs.promotion("staging", "1.20.0", current="1.19.1", at=ago(hours=1))
    scene.tell(
        certs.observed(
            certs.environment("dev", "1.20.0", gate=None),
            certs.environment("staging", "1.19.1", gate=GateState.PENDING),
            certs.environment("prod", "1.18.2", gate=GateState.PENDING,
                              condition=Condition.SUSPENDED),
        ),
        *older.to_open(77),
        older.superseded(by=newer.id),
        newer.requested,
        *closed.to_open(81),
        closed.closed(81),
    )  # fmt: skip
    edge = Pipeline("edge", namespace="platform", kind="Kustomization", app="edge-proxies")
    regions = [f"{part}-{n}" for part in ("eu-west", "us-east", "ap-south") for n in (1, 2, 3, 4)]
    stopped = "Kustomization edge-proxies: health check failed after 5m0s: timeout waiting for edge"
    scene.tell(
        edge.observed(
            edge.environment("canary", f"main@sha1:{SHA}", gate=None, since=ago(hours=3)),
            *(edge.environment(r, f"main@sha1:{SHA}", since=ago(hours=2)) for r in regions[:7]),
            edge.environment(regions[7], f"main@sha1:{SHA}", condition=Condition.FAILED,
                             message=stopped, since=ago(hours=1)),
            edge.environment(regions[8], f"main@sha1:{SHA[::-1]}", gate=GateState.BLOCKED,
                             gate_message=f"{regions[7]} is not healthy: {stopped}"),
            *(edge.environment(r, f"main@sha1:{SHA[::-1]}") for r in regions[9:]),
        )
    )  # fmt: skip
    denied = Pipeline("metrics", namespace="platform")
    forbidden = denied.promotion("prod", "5.0.0", current="4.9.0", at=ago(hours=6))
    scene.tell(
        denied.observed(
            denied.environment("dev", "5.0.0", gate=None),
            denied.environment("prod", "4.9.0", gate=GateState.PENDING),
        ),
        forbidden.requested,
        forbidden.begun(),
        forbidden.granted(),
        forbidden.failed(FailureReason.FORBIDDEN, "grace may not push to acme/gitops (403)"),
    )


def _credentials(scene: Scene) -> None:
    scene.tell(
        credential(
            "flux-bot",
            owner="flux-bot",
            kind=TokenKind.CLASSIC,
            scopes=("repo", "workflow", "read:org"),
            expiry_known=True,
            last_used_by_us_at=ago(minutes=7),
            last_used_reported_at=ago(minutes=3),
            used_elsewhere_at=ago(minutes=3),
            owner_kind=TokenOwnerKind.PERSON,
            owner_standing=TokenOwnerStanding.ACTIVE,
            created_at=ago(days=400),
            written_at=ago(days=399),
            shared_with=(SecretRef(namespace="shop", name="grace-laptop"),),
            shared_elsewhere=2,
            findings=(
                warning(
                    "somebody else used it: that was no use of ours", "used_elsewhere"
                ).model_copy(update={"remedy": "find out who, and revoke it"}),
                warning("its scope `repo` reads and writes every repository that its owner can"),
                warning("never expires", "never_expires").model_copy(
                    update={"remedy": "replace it by one that expires"}
                ),
            ),
            history=(
                TokenChange(
                    at=ago(days=399),
                    kind=TokenChangeKind.FIRST_CHECKED,
                    validity=TokenValidity.VALID,
                    owner=ForgeUser(id="9", login="flux-bot"),
                ),
                TokenChange(
                    at=ago(days=30),
                    kind=TokenChangeKind.VALIDITY,
                    validity=TokenValidity.INVALID,
                ),
                TokenChange(
                    at=ago(days=29),
                    kind=TokenChangeKind.REPLACED,
                    validity=TokenValidity.VALID,
                    owner=ForgeUser(id="9", login="flux-bot"),
                ),
            ),
            risk=TokenRisk.HIGH,
        ),
        credential(
            "grace-laptop",
            owner="grace",
            kind=TokenKind.FINE_GRAINED,
            scopes=("contents:write", "pull_requests:write"),
            expiry_known=True,
            expires_at=NOW + timedelta(days=9),
            last_used_by_us_at=ago(days=4),
            findings=(warning("expires in 9 days", "expires_soon"),),
        ),
        credential(
            "countersign-app",
            owner="countersign",
            kind=TokenKind.APP_INSTALLATION,
            scopes=("contents:write", "pull_requests:write", "metadata:read"),
            expiry_known=True,
            expires_at=NOW + timedelta(days=300),
            last_used_by_us_at=ago(hours=2),
            last_used_reported_at=ago(hours=1),
        ),
        credential(
            "old-deploy",
            owner="",
            kind=TokenKind.UNSPECIFIED,
            validity=TokenValidity.INVALID,
            reason="the forge answers 401",
            findings=(
                Finding(
                    level=FindingLevel.ERROR,
                    code="invalid",
                    message="is refused by the forge; replace it or delete the Secret",
                ),
            ),
        ),
    )


def many_pipelines(scene: Scene, *, count: int) -> None:
    """A big installation: namespaces of about twelve, five environments each."""
    for i in range(count):
        pipeline = Pipeline(f"service-{i:04d}", namespace=f"team-{i // 12:03d}")
        version = f"1.{i % 40}.{i % 7}"
        story = pipeline.promotion("prod", version, current="1.0.0", at=ago(minutes=i % 600))
        scene.tell(
            pipeline.observed(
                pipeline.environment("dev", version, gate=None),
                pipeline.environment("test", version),
                pipeline.environment("staging", version),
                pipeline.environment("canary", version),
                pipeline.environment("prod", "1.0.0", gate=GateState.PENDING),
            )
        )
        if i % 9 == 0:
            scene.tell(story.requested)
        elif i % 9 == 1:
            scene.tell(*story.to_open(i))
