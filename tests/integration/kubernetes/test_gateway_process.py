"""The gateway as a process, with the service account that it has in a cluster and no more."""

from pathlib import Path

from apiserver import ApiServer
from doubles.streams import provision
from integration.gateway.conftest import Publishers, environment, free_port, running_gateway
from integration.gateway.test_gateway import shows
from unit.gateway.stories import Pipeline

from countersign.contracts.messages import GateState
from countersign.kube.access.http_api import HttpClusterApi
from countersign.messaging.administration.local_server import local_server

ASKER = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: "{namespace}-reviews"}}
rules:
- {{apiGroups: [authorization.k8s.io], resources: [subjectaccessreviews], verbs: [create]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: "{namespace}-reviews"}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "{namespace}-reviews"}}
subjects: [{{kind: ServiceAccount, name: countersign-gateway, namespace: "{namespace}"}}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: countersign-gateway, namespace: "{namespace}"}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: developers, namespace: "{namespace}"}}
rules:
- {{apiGroups: [pipelines.weave.works], resources: [pipelines], verbs: [get]}}
- {{apiGroups: [pipelines.weave.works], resources: [pipelines/prod], verbs: [promote]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: developers, namespace: "{namespace}"}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: developers}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: Group, name: developers}}]
"""


async def test_gateway_asks_with_its_own_account_and_shows_by_groups(
    apiserver: ApiServer, admin: HttpClusterApi, namespace: str, tmp_path: Path
) -> None:
    apiserver.kubectl("apply", "-f", "-", stdin=ASKER.format(namespace=namespace))
    answer = await admin.call(
        "POST",
        f"/api/v1/namespaces/{namespace}/serviceaccounts/countersign-gateway/token",
        body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
    )
    pipeline = Pipeline("checkout", namespace=namespace)
    story = pipeline.promotion("prod", "6.9.0", current="6.8.4")
    observed = pipeline.observed(
        pipeline.environment("staging", "6.9.0", gate=None),
        pipeline.environment("prod", "6.8.4", gate=GateState.PENDING),
    )
    async with local_server(tmp_path / "nats") as nats:
        await provision(nats)
        await Publishers(nats).publish("watcher", observed, story.requested)
        variables = environment(nats, tmp_path, port=free_port()) | {
            "COUNTERSIGN_KUBE_URL": apiserver.url,
            "COUNTERSIGN_KUBE_ACCOUNT_DIR": str(apiserver.account(answer["status"]["token"])),
        }
        async with running_gateway(variables, tmp_path / "gateway.log") as gateway:
            grace, ada = await gateway.client("grace"), await gateway.client("ada")
            await shows(grace, "/", "Promote 6.9.0…")
            other = (await ada.get("/")).text

    assert "checkout" not in other
    assert "none that you may see" in other
