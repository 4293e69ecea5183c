"""Names of spans and of their attributes.

OpenTelemetry's semantic conventions first (https://opentelemetry.io/docs/specs/semconv/), then
`countersign.*`. Names are few and hold no identifiers; those are values.
"""

from typing import Final

ERROR_TYPE: Final = "error.type"

MESSAGING_SYSTEM: Final = "messaging.system"
MESSAGING_TEMPLATE: Final = "messaging.destination.template"
MESSAGING_SUBSCRIPTION: Final = "messaging.destination.subscription.name"
MESSAGING_OPERATION: Final = "messaging.operation.name"
MESSAGING_OPERATION_TYPE: Final = "messaging.operation.type"
MESSAGING_MESSAGE_ID: Final = "messaging.message.id"
MESSAGING_BODY_BYTES: Final = "messaging.message.body.size"

HTTP_METHOD: Final = "http.request.method"
HTTP_ROUTE: Final = "http.route"
HTTP_STATUS: Final = "http.response.status_code"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"

VCS_REPOSITORY_NAME: Final = "vcs.repository.name"
VCS_OWNER: Final = "vcs.owner.name"
VCS_CHANGE_ID: Final = "vcs.change.id"
VCS_HEAD_NAME: Final = "vcs.ref.head.name"
VCS_BASE_NAME: Final = "vcs.ref.base.name"

PIPELINE_NAME: Final = "cicd.pipeline.name"
PIPELINE_NAMESPACE: Final = "k8s.namespace.name"
ENVIRONMENT: Final = "deployment.environment.name"
PROMOTION_ID: Final = "countersign.promotion.id"
PROMOTION_ATTEMPT: Final = "countersign.promotion.attempt"
APPROVAL_ID: Final = "countersign.approval.id"
REPLICA: Final = "countersign.replica"
CREDENTIAL_MODE: Final = "countersign.credential.mode"
OUTCOME: Final = "countersign.outcome"
DELIVERIES: Final = "countersign.deliveries"
CALLER: Final = "countersign.caller"
FORGE: Final = "countersign.forge"

SPAN_REQUEST_PROMOTION: Final = "request promotion"
SPAN_BEGIN_APPROVAL: Final = "begin approval"
SPAN_COMPLETE_APPROVAL: Final = "complete approval"
SPAN_EXCHANGE_CODE: Final = "exchange code"
SPAN_POLL_DEVICE: Final = "ask about device code"
SPAN_IDENTIFY_USER: Final = "identify forge user"
SPAN_NARROW_TOKEN: Final = "narrow token"  # noqa: S105 (the name of a span)
SPAN_REDEEM: Final = "redeem delegation"
SPAN_REVOKE: Final = "revoke delegation"
SPAN_WRITE_PULL_REQUEST: Final = "write pull request"
SPAN_READ_REPOSITORY: Final = "read repository"
SPAN_COMMIT: Final = "commit"
SPAN_OPEN_PULL_REQUEST: Final = "open pull request"
SPAN_FOLLOW_PULL_REQUEST: Final = "follow pull request"
SPAN_RECEIVE_WEBHOOK: Final = "receive webhook"
SPAN_COMPLETE_PROMOTION: Final = "complete promotion"
SPAN_CHECK_TOKEN: Final = "check token"  # noqa: S105 (the name of a span)
