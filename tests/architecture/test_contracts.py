"""What must hold of messages and subjects as a whole."""

import re
import subprocess
import sys
from typing import Any

import pytest
from pydantic import SecretBytes, SecretStr
from reference import ROOT

from countersign.contracts import messages, subjects
from countersign.contracts.message import Message
from countersign.contracts.messages import EVENTS, METHODS
from countersign.contracts.secret import Secret

SECRET_TYPES = {Secret, SecretStr, SecretBytes}
# A delegation's code is worthless without the verifier and the client secret that approval holds.
SECRET_WORDS = re.compile(
    r"(?:^|_)(?:token|password|passphrase|refresh|private_key|client_secret)$"
)
MODELS = [
    value
    for value in vars(messages).values()
    if isinstance(value, type) and issubclass(value, Message) and value is not Message
]


def _types(annotation: Any) -> set[Any]:
    inner = getattr(annotation, "__args__", ())
    return {annotation}.union(*map(_types, inner)) if inner else {annotation}


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_message_holds_no_secret(model: type[Message]) -> None:
    for name, field in model.model_fields.items():
        assert not _types(field.annotation) & SECRET_TYPES
        assert not SECRET_WORDS.search(name)


def test_no_event_carries_a_code_or_a_sealed_token() -> None:
    carried = {name for model in EVENTS for name in model.model_fields}

    assert not carried & {"code", "sealed", "state", "session", "public_key"}


def test_roots_of_requests_and_events_never_overlap() -> None:
    """No stream can catch a reply: neither root is the beginning of another, token by token."""
    roots = [
        subjects.EVENT_ROOT, subjects.INTAKE_ROOT, subjects.RPC_ROOT, subjects.DEAD_LETTER_ROOT,
        subjects.HINT_ROOT, subjects.inbox_prefix("approval"), "$JS", "_INBOX",
    ]  # fmt: skip
    firsts = [root.partition(".")[0] for root in roots]

    assert len(set(firsts)) == len(firsts)


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda m: m.verb)
def test_no_request_is_made_where_events_are_stored(method: Any) -> None:
    template = subjects.rpc_template(method)

    assert template.startswith(f"{subjects.RPC_ROOT}.")
    assert subjects.event_model(template) is None


@pytest.mark.parametrize("model", EVENTS, ids=lambda m: m.__name__)
def test_name_of_an_event_follows_from_its_class(model: type[Message]) -> None:
    """`PullRequestOpened` is `pull-request.opened`: who knows one knows the other."""
    words = re.findall(r"[A-Z][a-z]+", model.__name__)

    assert EVENTS[model].name == f"{'-'.join(words[:-1])}.{words[-1]}".lower()


@pytest.mark.parametrize("name", METHODS)
def test_name_of_a_request_follows_from_its_class(name: str) -> None:
    method = METHODS[name]

    assert name == f"{method.service}.{method.verb}"
    assert method.request.__name__ == f"{method.verb.title()}Request"
    assert method.response.__name__ == f"{method.verb.title()}Response"


def test_each_service_publishes_what_it_owns() -> None:
    services = {"watcher", "approval", "pr-writer", "auditor"}
    publishers = {publisher for info in EVENTS.values() for publisher in info.publishers}

    assert publishers == services  # the gateway publishes nothing, ever


def test_only_the_writer_redeems() -> None:
    assert METHODS["approval.redeem"].callers == ("pr-writer",)
    assert {c for n, m in METHODS.items() if n != "approval.redeem" for c in m.callers} <= {
        "gateway",
        "approval",
        "pr-writer",
    }


def test_generated_files_are_current() -> None:
    command = [sys.executable, "proto/generate.py", "--check"]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
