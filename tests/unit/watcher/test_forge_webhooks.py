"""Each kind of forge proves itself, and tells the end of a pull request, in its own way."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import hypothesis.strategies as st
import pytest
from doubles.webhook_house import House, our_pull_request
from doubles.webhook_senders import (
    BRANCH,
    COMMIT,
    GUID,
    KEY,
    NOW_S,
    SENDERS,
    SIGNING_TOKEN,
    Sender,
    basic,
    mac,
    signing_token,
)
from hypothesis import given

from countersign.contracts import messages as m
from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge, RepositoryWebhook
from countersign.contracts.secret import Secret
from countersign.dialects.hooks.fates import Fate
from countersign.dialects.hooks.schemes import Delivery, Scheme
from countersign.dialects.kinds import KINDS
from countersign.dialects.shapes import NUMBER_MAX
from countersign.watcher.pulls.sources import read_sources
from countersign.watcher.refusals import WatcherRefusal

ORIGIN = "https://github.com"
BY_NAME = {sender.name: sender for sender in SENDERS}
every_sender = pytest.mark.parametrize("sender", SENDERS, ids=lambda sender: sender.name)


def forge_of(sender: Sender) -> Forge:
    return Forge.model_validate({"name": "Ours", "kind": sender.kind, "origin": ORIGIN})


def scheme_of(sender: Sender) -> Scheme:
    return KINDS[forge_of(sender).forge_kind].webhooks


def house_of(sender: Sender, *more: Forge) -> House:
    house = House(forge_of(sender), *more, secret=sender.secret)
    ids = {"repository_id": sender.repository_id, "head_repository_id": sender.repository_id}
    house.open(our_pull_request(**ids))
    return house


async def post(house: House, headers: dict[str, str], body: bytes) -> tuple[int, str]:
    sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = await house.client.post("/webhooks/ours", content=body, headers=sent)
    return answer.status_code, answer.text


def told(sender: Sender, delivery: Delivery) -> Fate | str | None:
    """The fate, or why there is none."""
    try:
        return scheme_of(sender).read_fate(delivery)
    except Rejected as refusal:
        return refusal.reason


def read(sender: Sender, *, merged: bool = True, **changes: Any) -> Any:
    headers, body = sender.send(merged=merged, **changes)
    return scheme_of(sender).read_fate(Delivery(headers=headers, body=body))


def test_every_kind_of_forge_that_can_be_listed_has_a_scheme_and_a_sender() -> None:
    kinds = set(get_args(Forge.model_fields["kind"].annotation))

    assert kinds == {sender.kind for sender in SENDERS}
    assert {forge_of(sender).forge_kind for sender in SENDERS} == set(KINDS)


@every_sender
async def test_merge_is_published_with_who_did_it_and_when(sender: Sender) -> None:
    house = house_of(sender)

    answer = await post(house, *sender.send(merged=True))

    assert answer == (202, "merged\n")
    (event,) = house.recorder.events
    assert isinstance(event, m.PullRequestMerged)
    assert (event.by, event.merge_commit) == (sender.by, COMMIT)
    assert event.merged_at == datetime(2026, 11, 23, 8, 59, tzinfo=UTC)


@every_sender
async def test_closing_is_published_and_its_repetition_is_not(sender: Sender) -> None:
    house = house_of(sender)

    first = await post(house, *sender.send(merged=False))
    second = await post(house, *sender.send(merged=False))

    assert (first, second) == ((202, "closed\n"), (202, "repeated\n"))
    (event,) = house.recorder.events
    assert isinstance(event, m.PullRequestClosed)
    assert event.by == sender.by
    assert event.closed_at == datetime(2026, 11, 23, 8, 58, tzinfo=UTC)


def proofs_that_fail(sender: Sender) -> dict[str, tuple[dict[str, str], bytes]]:
    headers, body = sender.send(merged=True)
    plain, _ = sender.write(merged=True)
    (name, proof), *_ = sender.prove(body, sender.secret).items()
    if "webhook-signature" in headers:
        name, proof = "webhook-signature", headers["webhook-signature"]
    theirs = [o for o in SENDERS if set(o.prove(body, KEY)).isdisjoint(sender.prove(body, KEY))]
    return {
        "none": (plain, body),
        "empty": ({**headers, name: ""}, body),
        "wrong": ({**headers, name: "0" * len(proof)}, body),
        "cut off": ({**headers, name: proof[:-4]}, body),
        "too long": ({**headers, name: proof + "0"}, body),
        "not ASCII": ({**headers, name: "\xe4" * len(proof)}, body),
        "another secret": ({**plain, **sender.prove(body, sender.secret[:-4] + "AAA=")}, body),
        "empty body, not signed": (plain, b""),
        **{
            f"as {other.name} does": ({**plain, **other.prove(body, sender.secret)}, body)
            for other in theirs
        },
    }


@pytest.mark.parametrize(
    ("sender", "case"),
    [
        pytest.param(sender, case, id=f"{sender.name}: {case}")
        for sender in SENDERS
        for case in proofs_that_fail(sender)
    ],
)
async def test_what_is_not_proved_is_refused_alike(sender: Sender, case: str) -> None:
    house = house_of(sender)

    answer = await post(house, *proofs_that_fail(sender)[case])

    assert answer == (401, "not authorized\n")
    assert house.recorder.events == []


@pytest.mark.parametrize(
    "name", [s.name for s in SENDERS if s.name not in {"gitlab-secret-token", "azure-devops"}]
)
async def test_signature_covers_the_bytes_as_they_came(name: str) -> None:
    headers, body = BY_NAME[name].send(merged=True)

    assert (await post(house_of(BY_NAME[name]), headers, body + b" "))[0] == 401


@every_sender
async def test_proved_nonsense_is_a_bad_request(sender: Sender) -> None:
    plain, _ = sender.write(merged=True)
    _, whole = sender.send(merged=True)

    for body in (b"", whole[:-9], b"\xff\xfe", b"[" * 100_000, b"9" * 10_000):
        answer = await post(house_of(sender), {**plain, **sender.prove(body, sender.secret)}, body)
        assert answer == (400, "malformed\n"), body[:20]


@every_sender
def test_other_news_of_the_forge_is_ignored(sender: Sender) -> None:
    assert scheme_of(sender).read_fate(Delivery(headers={}, body=b"{}")) is None


IDS = {
    "gitlab": (("object_attributes",), "iid", "target_project_id"),
    "bitbucket-cloud": (("pullrequest",), "id", "destination"),
    "bitbucket-server": (("pullRequest",), "id", "toRef"),
    "azure-devops": (("resource",), "pullRequestId", "repository"),
}


@every_sender
@pytest.mark.parametrize("value", [None, 0, -7, True, "7", 7.0, NUMBER_MAX + 1, 10**4000, [7]])
def test_number_that_no_pull_request_has_is_malformed(sender: Sender, value: Any) -> None:
    (place,), number, _ = IDS.get(sender.kind, (("pull_request",), "number", ""))
    _, payload = sender.write(merged=True)

    changes: Any = {place: {**payload[place], number: value}}
    with pytest.raises(Rejected, match=number):
        read(sender, **changes)


@every_sender
@pytest.mark.parametrize("value", [None, "", {}, 5.5, "\ud800", "x" * 5000])
def test_repository_without_an_id_is_malformed(sender: Sender, value: Any) -> None:
    if sender.kind in IDS:
        (place,), _, where = IDS[sender.kind]
        _, payload = sender.write(merged=True)
        changes: Any = {place: {**payload[place], where: value}}
    else:
        changes = {"repository": {"id": value}}

    with pytest.raises(Rejected, match="lacks"):
        read(sender, **changes)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=8)
    | st.sampled_from([BRANCH, "closed"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[Sender, bytes]:
    """What a forge sends, with anything in any place of it."""
    sender = draw(st.sampled_from(SENDERS))
    _, payload = sender.write(merged=draw(st.booleans()))
    payload = json.loads(json.dumps(payload))
    for _ in range(draw(st.integers(1, 3))):
        place: Any = payload
        while True:
            key = draw(st.sampled_from(sorted(place)))
            if not (isinstance(place[key], dict) and place[key] and draw(st.booleans())):
                break
            place = place[key]
        place[key] = draw(json_values)
    whole = draw(st.sampled_from([payload, draw(json_values)]))
    return sender, json.dumps(whole).encode()


@given(spoilt())
def test_body_of_any_shape_is_read_ignored_or_malformed(case: tuple[Sender, bytes]) -> None:
    sender, body = case
    for merged in (True, False):
        headers, _ = sender.write(merged=merged)
        delivery = Delivery(headers=headers, body=body)
        match told(sender, delivery):
            case Fate() as fate:
                assert isinstance(scheme_of(sender).delivery_id(delivery), str)
                assert fate.by is None or fate.by.to_json()
            case word:
                assert word in {None, "malformed"}


@given(sender=st.sampled_from(SENDERS), body=st.binary(max_size=64))
def test_bytes_of_any_kind_are_ignored_or_malformed(sender: Sender, body: bytes) -> None:
    headers, _ = sender.write(merged=True)

    assert told(sender, Delivery(headers=headers, body=body)) in {None, "malformed"}


@given(
    sender=st.sampled_from(SENDERS),
    values=st.lists(st.text(st.characters(codec="latin-1"), max_size=80), min_size=9, max_size=9),
)
def test_headers_of_any_kind_prove_nothing(sender: Sender, values: list[str]) -> None:
    headers, body = sender.send(merged=True)
    odd = dict(zip(headers, values, strict=False))

    assert not scheme_of(sender).is_authentic(
        Delivery(headers=odd, body=body), Secret(sender.secret), NOW_S
    )


@every_sender
@pytest.mark.parametrize("said", ["0001-01-01T00:00:00+14:00", "noon", 10**400, None])
async def test_time_that_cannot_be_is_that_of_the_delivery(sender: Sender, said: Any) -> None:
    house = house_of(sender)
    headers, payload = sender.write(merged=True)
    body = json.dumps(_with_times(payload, said)).encode()

    answer = await post(house, {**headers, **sender.prove(body, sender.secret)}, body)

    assert answer == (202, "merged\n")
    (event,) = house.recorder.events
    assert isinstance(event, m.PullRequestMerged)
    assert event.merged_at == datetime(2026, 11, 23, 9, tzinfo=UTC)


TIMES = {"merged_at", "updated_at", "updated_on", "closedDate", "date"}


def _with_times(payload: Any, said: Any) -> Any:
    if not isinstance(payload, dict):
        return payload
    return {k: said if k in TIMES else _with_times(v, said) for k, v in payload.items()}


# Where a vendor has its own traps.


@pytest.mark.parametrize(
    ("told", "now_s"), [("0", NOW_S), (str(NOW_S), NOW_S + 301), (str(NOW_S), NOW_S - 301)]
)
def test_gitlabs_signature_is_taken_for_five_minutes(told: str, now_s: int) -> None:
    sender = BY_NAME["gitlab"]
    _, body = sender.send(merged=True)
    headers = signing_token(body, sender.secret, now_s=int(told))
    delivery = Delivery(headers=headers, body=body)
    check = scheme_of(sender).is_authentic

    assert not check(delivery, Secret(sender.secret), now_s)
    assert check(delivery, Secret(sender.secret), int(told) + 299)


def test_gitlabs_signature_is_found_beside_that_of_another_key() -> None:
    sender = BY_NAME["gitlab"]
    headers, body = sender.send(merged=True)
    both = {**headers, "webhook-signature": "v1,AAAA " + headers["webhook-signature"]}

    assert scheme_of(sender).is_authentic(
        Delivery(headers=both, body=body), Secret(sender.secret), NOW_S
    )


def test_gitlabs_secret_token_does_not_stand_in_for_a_signing_token() -> None:
    sender = BY_NAME["gitlab"]
    _, body = sender.send(merged=True)
    delivery = Delivery(headers={"x-gitlab-token": SIGNING_TOKEN}, body=body)

    assert not scheme_of(sender).is_authentic(delivery, Secret(SIGNING_TOKEN), NOW_S)


async def test_gitlabs_news_that_share_an_event_uuid_are_told_apart() -> None:
    """GitLab may give one to all that a single request to it caused."""
    sender = BY_NAME["gitlab-secret-token"]
    house = house_of(sender)
    headers, body = sender.send(merged=True)
    headers.pop("idempotency-key")
    headers["x-gitlab-event-uuid"] = "d-1"
    _, payload = sender.write(merged=True)
    update = {**payload["object_attributes"], "action": "update", "state": "opened"}

    first = await post(
        house, headers, json.dumps({**payload, "object_attributes": update}).encode()
    )

    assert first == (202, "ignored\n")
    assert await post(house, headers, body) == (202, "merged\n")


def test_gitlabs_malformed_signing_token_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("whsec_?")
    forge = forge_of(BY_NAME["gitlab"])

    with pytest.raises(Rejected, match=f"{WatcherRefusal.BAD_SECRET}: .*GitLab"):
        read_sources([forge.model_copy(update={"webhook_secret_file": str(tmp_path / "key")})])


@every_sender
def test_secret_is_read_for_every_kind(sender: Sender, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(sender.secret + "\n")
    forge = forge_of(sender).model_copy(update={"webhook_secret_file": str(tmp_path / "key")})

    (source,) = read_sources([forge]).values()

    assert (source.forge, source.secret.reveal()) == (forge, sender.secret)


@pytest.mark.parametrize("status", ["active", "notSet", "all", "", None])
@pytest.mark.parametrize("event", ["git.pullrequest.merged", "git.pullrequest.updated"])
def test_azures_merge_that_was_only_tried_is_no_fate(event: str, status: str | None) -> None:
    sender = BY_NAME["azure-devops"]
    _, payload = sender.write(merged=True)
    resource = {**payload["resource"], "status": status}

    assert read(sender, eventType=event, resource=resource) is None


@pytest.mark.parametrize(
    ("listed", "sent", "taken"),
    [
        pytest.param("hook:pass", "hook:pass", True, id="both"),
        pytest.param("hook:pass", "other:pass", False, id="another user"),
        pytest.param("pass", "anybody:pass", True, id="only the password is listed"),
        pytest.param("pass", "pass", False, id="no user at all"),
        pytest.param("pass", "pass:", False, id="as user"),
        pytest.param("hook:pa:ss", "hook:pa:ss", True, id="colon in the password"),
    ],
)
def test_azures_password_is_compared_with_what_is_listed(
    *, listed: str, sent: str, taken: bool
) -> None:
    delivery = Delivery(headers=basic(b"", sent), body=b"")
    check = KINDS[m.ForgeKind.AZURE_DEVOPS].webhooks.is_authentic

    assert check(delivery, Secret(listed), NOW_S) is taken


def test_azures_proof_by_another_scheme_is_not_taken() -> None:
    token = base64.b64encode(b"hook:pass").decode()
    delivery = Delivery(headers={"authorization": f"Bearer {token}"}, body=b"")

    assert not KINDS[m.ForgeKind.AZURE_DEVOPS].webhooks.is_authentic(
        delivery, Secret("pass"), NOW_S
    )


def test_azures_pull_request_from_a_fork_has_the_forks_id() -> None:
    sender = BY_NAME["azure-devops"]
    _, payload = sender.write(merged=True)
    fork = {"repository": {"id": "another"}}

    fate = read(sender, resource={**payload["resource"], "forkSource": fork})

    assert (fate.repository_id, fate.head_repository_id) == (GUID, "another")


@pytest.mark.parametrize("name", ["bitbucket-cloud", "bitbucket-server"])
def test_bitbuckets_unsigned_event_name_makes_no_fate_of_an_open_pull_request(name: str) -> None:
    sender = BY_NAME[name]
    _, payload = sender.write(merged=True)
    place = "pullrequest" if name == "bitbucket-cloud" else "pullRequest"

    changes: Any = {place: {**payload[place], "state": "OPEN"}}
    assert read(sender, **changes) is None


@pytest.mark.parametrize(("state", "is_fate"), [("OPEN", True), ("MERGED", False)])
def test_bitbuckets_deleted_pull_request_is_closed_unless_it_was_merged(
    *, state: str, is_fate: bool
) -> None:
    sender = BY_NAME["bitbucket-server"]
    _, payload = sender.write(merged=False)
    pull = {**payload["pullRequest"], "state": state, "closedDate": None}

    fate = read(sender, merged=False, eventKey="pr:deleted", pullRequest=pull)

    assert (fate is not None) is is_fate
    if fate is not None:
        assert not fate.merged
        assert fate.at == datetime(2026, 11, 23, 8, 59, tzinfo=UTC)


async def test_delivery_id_of_one_forge_says_nothing_of_another() -> None:
    sender = BY_NAME["gitea"]
    theirs = Forge.model_validate(
        {"name": "Theirs", "kind": "gitea", "origin": "https://git.example.com"}
    )
    house = house_of(sender, theirs)
    headers, body = sender.send(merged=True)

    first = await house.client.post("/webhooks/theirs", content=body, headers=headers)

    assert first.text == "unknown\n"
    assert await post(house, headers, body) == (202, "merged\n")


@pytest.mark.parametrize(("kind", "other"), [("gitea", "forgejo"), ("forgejo", "gitea")])
async def test_gitea_and_forgejo_are_believed_by_their_own_header(kind: str, other: str) -> None:
    sender = BY_NAME[kind]
    headers, body = sender.send(merged=True)
    headers.pop(f"x-{kind}-signature")
    foreign = {
        f"x-{other}-signature": mac(body, KEY),
        "x-hub-signature-256": "sha256=" + mac(body, KEY),
    }

    assert (await post(house_of(sender), {**headers, **foreign}, body))[0] == 401


# Single webhooks, each with a secret of its own.

WEBHOOKS = [
    {"name": "shop", "secretFile": "/run/shop", "repositories": ["acme/*"]},
    {"name": "other", "secretFile": "/run/other", "repositories": ["other/fleet"]},
]


def scoped(sender: Sender) -> House:
    forge = forge_of(sender).model_copy(
        update={"webhooks": tuple(map(RepositoryWebhook.model_validate, WEBHOOKS))}
    )
    house = House(forge, secret=KEY)
    ids = {"repository_id": sender.repository_id, "head_repository_id": sender.repository_id}
    house.open(our_pull_request(**ids, owner="Acme", repository="config"))
    return house


async def send(house: House, sender: Sender, *, path: str, secret: str) -> tuple[int, str]:
    plain, _ = sender.write(merged=True)
    _, body = sender.send(merged=True)
    headers = {**plain, **sender.prove(body, secret)}
    answer = await house.client.post(path, content=body, headers=headers)
    return answer.status_code, answer.text


async def test_webhook_of_a_repository_tells_of_it() -> None:
    house = scoped(BY_NAME["gitea"])

    answer = await send(house, BY_NAME["gitea"], path="/webhooks/ours/shop", secret=f"{KEY}-shop")

    assert answer == (202, "merged\n")


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        pytest.param("/webhooks/ours/other", f"{KEY}-other", id="another repository's"),
        pytest.param("/webhooks/ours", KEY, id="the forge's own"),
    ],
)
async def test_webhook_that_another_secret_proves_is_not_believed(path: str, secret: str) -> None:
    """Who administers one repository cannot forge what another's webhook tells."""
    house = scoped(BY_NAME["gitea"])

    assert await send(house, BY_NAME["gitea"], path=path, secret=secret) == (202, "foreign\n")
    assert house.recorder.events == []


@pytest.mark.parametrize("secret", [KEY, f"{KEY}-other", ""])
async def test_webhook_of_a_repository_takes_its_own_secret_alone(secret: str) -> None:
    house = scoped(BY_NAME["gitea"])

    answer = await send(house, BY_NAME["gitea"], path="/webhooks/ours/shop", secret=secret)

    assert answer == (401, "not authorized\n")


async def test_forged_news_takes_no_place_of_true_news_that_came_early() -> None:
    sender = BY_NAME["gitea"]
    house = scoped(sender)
    early = House(*house.forges, secret=KEY)

    await send(early, sender, path="/webhooks/ours/shop", secret=f"{KEY}-shop")
    forged = await send(early, sender, path="/webhooks/ours/other", secret=f"{KEY}-other")
    ids = {"repository_id": sender.repository_id, "head_repository_id": sender.repository_id}
    event = early.open(our_pull_request(**ids, owner="acme", repository="config"))
    await early.following.on_opened(event)

    assert forged == (202, "unknown\n")
    assert [type(e) for e in early.recorder.events] == [m.PullRequestMerged]
