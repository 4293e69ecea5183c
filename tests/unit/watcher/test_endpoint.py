"""The promotion hook: what whoever can sign is answered, and that nobody else learns anything."""

import asyncio
import itertools
import time
from typing import Any

import pytest
from doubles import stories
from doubles.hinting import (
    KEY,
    PATH,
    PROD_KEY,
    UNIX_NOW,
    HookHouse,
    StoppedClock,
    event,
    hook_house,
    keyed_pipeline,
    sign,
)
from doubles.watched import pipeline_manifest

from countersign.contracts import messages as m
from countersign.watcher.hints.endpoint import WAITING_MAX
from countersign.watcher.hints.flux_events import BODY_BYTES_MAX


@pytest.fixture
async def house() -> HookHouse:
    return await hook_house()


def env_keyed(**changes: Any) -> dict[str, Any]:
    """Only the settings of prod name a key."""
    made = keyed_pipeline(own="", **changes)
    strategy = {**made["spec"]["promotion"]["strategy"], "secretRef": {"name": "prod-key"}}
    made["spec"]["environments"][2]["promotion"] = {"strategy": strategy}
    return made


async def test_signed_hint_leads_to_a_look_and_is_answered_as_before(house: HookHouse) -> None:
    answer = await house.post(event())

    assert (answer.status_code, answer.text) == (201, "")
    assert "location" not in answer.headers
    assert [str(key) for key in house.looks] == ["Pipeline shop/checkout"]
    assert house.bus.events == []


async def test_location_is_told_once_the_pull_request_is_known(house: HookHouse) -> None:
    requested = stories.requested()
    place = requested.promotion.model_copy(
        update={
            "pipeline": m.PipelineRef(namespace="shop", name="checkout", uid="uid-1"),
            "environment": "staging",
        }
    )
    asked = requested.model_copy(update={"promotion": place})
    opened = stories.opened().model_copy(update={"promotion": place})
    house.watching.projection.apply(asked, sequence=1)
    house.watching.projection.apply(opened, sequence=2)
    version = asked.content.revision.recorded

    answer = await house.post(event(metadata={"revision": version}))
    other = await house.post(event(metadata={"revision": "0.0.1"}))

    assert answer.status_code == other.status_code == 201
    assert answer.headers["location"].startswith(opened.pull_request.origin)
    assert "location" not in other.headers


@pytest.mark.parametrize("algorithm", ["sha224", "sha256", "sha384", "sha512"])
async def test_every_algorithm_is_taken(house: HookHouse, algorithm: str) -> None:
    body = event()

    answer = await house.post(body, X_Signature=sign(body, algorithm=algorithm))

    assert answer.status_code == 201


@pytest.mark.parametrize("promotion", [{"manual": True}, {"ask": {"credential": "delegated"}}])
async def test_promotion_that_waits_for_a_person_is_answered_without_content(
    promotion: dict[str, Any],
) -> None:
    made = keyed_pipeline()
    made["spec"]["promotion"] |= {k: v for k, v in promotion.items() if k != "ask"}
    made["spec"]["promotion"]["strategy"]["pull-request"] |= promotion.get("ask", {})
    house = await HookHouse().hold(made)

    answer = await house.post(event())

    assert (answer.status_code, answer.text) == (204, "")
    assert house.looks


async def test_failure_is_answered_without_content(house: HookHouse) -> None:
    answer = await house.post(event(severity="error", reason="UpgradeFailed"))

    assert answer.status_code == 204


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", [PATH, "/promotion/shop/nothing/dev", "/promotion/"])
async def test_other_methods_are_not_allowed(house: HookHouse, method: str, path: str) -> None:
    answer = await house.client.request(method, path)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/", "/shop", "/shop/checkout", "/shop/checkout/", "//a/b"])
async def test_path_of_another_shape_is_not_found(house: HookHouse, path: str) -> None:
    assert (await house.post(event(), f"/promotion{path}")).status_code == 404
    assert (await house.post(event(), f"{PATH}/more")).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"3",
        b"[" * 100_000,
        b'{"metadata": 3}',
        b'{"involvedObject": []}',
        b'{"metadata": {"revision": 3}}',
        b'{"severity": {}}',
    ],
)
async def test_signed_nonsense_is_a_bad_request(house: HookHouse, body: bytes) -> None:
    assert (await house.post(body)).status_code == 400
    assert house.looks == []


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        (PATH, event(metadata={"revision": ""}), "event has no 'revision' in the metadata field."),
        (PATH, b"{}", "event has no 'revision' in the metadata field."),
        (
            "/promotion/shop/checkout/prod",
            event(involved={"namespace": "prod-0"}),
            "cannot promote beyond last environment prod",
        ),
        (
            "/promotion/shop/checkout/qa",
            event(),
            "app shop/checkout has no environment qa defined",
        ),
        (
            "/promotion/shop/checkout/%3Cb%3E%2Fx",
            event(),
            "app shop/checkout has no environment &lt;b&gt;/x defined",
        ),
        (
            "/promotion/shop/checkout/staging",
            event(),
            "involved object does not match Pipeline definition",
        ),
        (
            PATH,
            event(involved={"name": "other"}),
            "involved object does not match Pipeline definition",
        ),
        (
            PATH,
            event(involved={"kind": "Kustomization"}),
            "involved object does not match Pipeline definition",
        ),
    ],
)
async def test_signed_request_that_fits_no_promotion_is_told_why(
    house: HookHouse, path: str, body: bytes, says: str
) -> None:
    answer = await house.post(body, path)

    assert answer.status_code == 422
    assert answer.text.replace("&#x27;", "'") == f"{says}\n"
    assert answer.headers["content-type"].startswith("text/plain")
    assert house.looks == []


async def test_environment_without_targets_or_strategy_is_told() -> None:
    made = keyed_pipeline("dev", "staging", "prod")
    made["spec"]["environments"][1]["targets"] = []
    made["spec"]["environments"][2]["promotion"] = {"strategy": {"notification": {}}}
    house = await HookHouse().hold(made)

    no_targets = await house.post(event())
    made["spec"]["environments"][1]["targets"] = [{"namespace": "staging-0"}]
    await house.hold(made)
    body = event(involved={"namespace": "staging-0"})
    only_notifies = await house.post(body, "/promotion/shop/checkout/staging")

    assert no_targets.text == "environment staging has no targets\n"
    assert only_notifies.status_code == 422
    assert "only notifies" in only_notifies.text


async def test_version_of_the_applications_api_does_not_matter(house: HookHouse) -> None:
    """Flux moved on to v2, and existing Pipelines name v2beta1."""
    body = event(involved={"apiVersion": "helm.toolkit.fluxcd.io/v2beta1"})

    assert (await house.post(body)).status_code == 201


def unsigned_requests() -> list[Any]:
    body, other = event(), "/promotion/shop/nothing/dev"
    return [
        pytest.param(PATH, {"key": None}, id="unsigned"),
        pytest.param(PATH, {"key": "wrong"}, id="wrongly signed"),
        pytest.param(PATH, {"X_Signature": "sha256"}, id="malformed"),
        pytest.param(PATH, {"X_Signature": sign(body, algorithm="md5")}, id="algorithm"),
        pytest.param(PATH, {"X_Signature": sign(body + b" ")}, id="another body"),
        pytest.param(PATH, {"key": PROD_KEY}, id="key of another environment"),
        pytest.param(other, {"key": None}, id="absent, unsigned"),
        pytest.param(other, {"key": KEY}, id="absent, signed"),
        pytest.param("/promotion/other/checkout/dev", {"key": KEY}, id="other namespace"),
        pytest.param("/promotion/shop/keyless/dev", {"key": None}, id="no key, unsigned"),
        pytest.param("/promotion/shop/keyless/dev", {"key": ""}, id="no key, empty one"),
        pytest.param("/promotion/shop/keyless/dev", {"key": "countersign"}, id="no key, guessed"),
        pytest.param("/promotion/shop/lost/dev", {"key": KEY}, id="Secret is not there"),
        pytest.param("/promotion/shop/keyless/qa", {"key": None}, id="no environment"),
    ]


@pytest.mark.parametrize(("path", "sent"), unsigned_requests())
async def test_who_cannot_sign_gets_one_answer_after_the_same_work(
    house: HookHouse, path: str, sent: dict[str, Any]
) -> None:
    for name, own in (("keyless", ""), ("lost", "not-there")):
        made = keyed_pipeline(own=own)
        made["metadata"] |= {"name": name, "uid": name}
        await house.hold(made)

    answer = await house.post(event(), path, **sent)

    assert (answer.status_code, answer.content) == (401, b"")
    told = {k: v for k, v in answer.headers.items() if k != "date"}
    assert told == {"content-length": "0", "content-type": "text/plain; charset=utf-8",
                    "x-content-type-options": "nosniff"}  # fmt: skip
    assert house.macs == 2
    assert house.looks == []


async def test_who_signs_rightly_costs_the_same_work(house: HookHouse) -> None:
    await house.post(event())

    assert house.macs == 2


@pytest.mark.parametrize("path", [PATH, "/promotion/shop/nothing/dev"])
async def test_refusal_comes_at_the_same_time_whatever_it_took_to_look_for_a_key(
    path: str,
) -> None:
    clock = StoppedClock()
    house = await hook_house(refusal_s=0.5, clock=clock)
    house.keys.read_s = 0.3

    answer = await house.post(event(), path, key="wrong")

    assert answer.status_code == 401
    assert bool(house.keys.asked) is (path == PATH)
    assert clock.now_s == pytest.approx(0.5)


async def test_refusal_waits_for_its_time() -> None:
    house = await hook_house(refusal_s=0.2)
    before = time.monotonic()

    await house.post(event(), key="wrong")

    assert time.monotonic() - before >= 0.2


async def test_key_of_an_environment_signs_for_promotions_into_it() -> None:
    house = await HookHouse().hold(env_keyed())
    body = event(involved={"namespace": "staging-0"})
    into_prod = "/promotion/shop/checkout/staging"

    assert (await house.post(body, into_prod, key=PROD_KEY)).status_code == 201
    assert (await house.post(body, into_prod, key=KEY)).status_code == 401
    assert (await house.post(body, into_prod, key=None)).status_code == 401
    # Into staging leads no key at all.
    assert (await house.post(event(), PATH, key=PROD_KEY)).status_code == 401
    assert (await house.post(event(), PATH, key=None)).status_code == 401


async def test_key_of_the_last_environment_is_told_that_nothing_follows() -> None:
    house = await HookHouse().hold(env_keyed())

    answer = await house.post(event(), "/promotion/shop/checkout/prod", key=PROD_KEY)

    assert answer.status_code == 422


async def test_pipelines_own_key_goes_on_signing_for_environments_with_one() -> None:
    """Senders that exist sign with it, because nothing else was ever looked at."""
    made = env_keyed()
    made["spec"]["promotion"]["strategy"]["secretRef"] = {"name": "key"}
    house = await HookHouse().hold(made)
    body = event(involved={"namespace": "staging-0"})

    for key in (KEY, PROD_KEY):
        answer = await house.post(body, "/promotion/shop/checkout/staging", key=key)
        assert answer.status_code == 201


async def test_signature_over_path_and_time_is_taken_once(house: HookHouse) -> None:
    body, stamp = event(), str(int(UNIX_NOW))
    text = f"{stamp}\n{PATH}\n".encode() + body
    sent = {"X_Signature": sign(text), "X_Signature_Timestamp": stamp}

    assert (await house.post(body, **sent)).status_code == 201
    assert (await house.post(body, **sent)).status_code == 401
    assert (await house.post(body, "/promotion/shop/checkout/staging", **sent)).status_code == 401
    # Without the header it is a signature over another body.
    assert (await house.post(body, X_Signature=sign(text))).status_code == 401
    assert (await house.post(text, X_Signature=sign(text))).status_code == 400


async def test_stale_signature_over_path_and_time_is_refused(house: HookHouse) -> None:
    body, stamp = event(), str(int(UNIX_NOW) - 301)
    text = f"{stamp}\n{PATH}\n".encode() + body

    answer = await house.post(body, X_Signature=sign(text), X_Signature_Timestamp=stamp)

    assert answer.status_code == 401
    assert house.macs == 2


async def test_body_is_bounded(house: HookHouse) -> None:
    for path in (PATH, "/promotion/shop/nothing/dev"):
        assert (await house.post(b" " * (BODY_BYTES_MAX + 1), path)).status_code == 413
    assert house.macs == 0


async def test_sender_of_too_many_is_told_when_to_come_back() -> None:
    house = await hook_house(requests_max=2)

    for path in (PATH, "/promotion/shop/nothing/dev"):
        await house.post(event(), path, key="wrong")
    answer = await house.post(event())
    forged = await house.post(event(), X_Forwarded_For="192.0.2.1", X_Real_IP="192.0.2.1")

    assert answer.status_code == forged.status_code == 429
    assert answer.headers["retry-after"].endswith(" GMT")


async def test_refusals_that_wait_are_bounded() -> None:
    house = await hook_house(refusal_s=0.3)

    answers = await asyncio.gather(
        *(house.post(event(), key="wrong") for _ in range(WAITING_MAX)),
        _later(house),
    )

    assert [a.status_code for a in answers] == [401] * WAITING_MAX + [429]


async def _later(house: HookHouse) -> Any:
    while house.macs < 2 * WAITING_MAX:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0)
    return await house.post(event())


async def test_nothing_is_answered_before_it_is_known_what_exists() -> None:
    house = HookHouse()

    answers = [await house.post(event(), path) for path in (PATH, "/promotion/a/b/c")]

    assert [a.status_code for a in answers] == [503, 503]
    assert house.macs == 0


async def test_environment_of_any_name_can_be_named() -> None:
    made = keyed_pipeline("dev/eu ü", "prod")
    made["spec"]["environments"][0]["targets"] = [{"namespace": "dev-0"}]
    house = await HookHouse().hold(made)

    answer = await house.post(event(), "/promotion/shop/checkout/dev%2Feu%20%C3%BC")

    assert answer.status_code == 201


async def test_noise_leads_to_one_look() -> None:
    made = pipeline_manifest("dev", "prod", kind="Kustomization", ask={"secretRef": {"name": "t"}})
    made["spec"]["promotion"]["strategy"]["secretRef"] = {"name": "key"}
    house = await HookHouse().hold(made)
    involved = {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization"}
    revision = itertools.chain(["main@sha1:" + "a" * 40] * 13, ["main@sha1:" + "b" * 40] * 2)

    for number, each in enumerate(revision):
        metadata = {"commit_status": "update", "revision": each}
        body = event(involved=involved, metadata=metadata, message=f"in {number} ms")
        assert (await house.post(body)).status_code == 201

    assert len(house.looks) == 2


@pytest.mark.parametrize("path", ["/approval/shop/checkout/prod", "/approval/a/b/c/6.9.0"])
@pytest.mark.parametrize("key", [KEY, None])
async def test_approving_without_a_person_is_gone(
    house: HookHouse, path: str, key: str | None
) -> None:
    answer = await house.post(b"", path, key=key)

    assert answer.status_code == 410
    assert "Approve on the board" in answer.text
    assert (await house.client.get(path)).status_code == 405
    assert house.bus.events == []
