"""Who signed, and how much work it is to find out."""

import hashlib
import hmac

import pytest

from countersign.contracts.secret import Secret
from countersign.watcher.hints.signatures import FRESH_S, REMEMBERED_MAX, Signatures, Signed

KEY = "made-up-hmac-key"
NOW = 1_800_000_000.0
PATH = b"/promotion/shop/checkout/dev"


class Counted:
    """HMACs, counted."""

    def __init__(self) -> None:
        self.algorithms: list[str] = []
        self.now = NOW
        self.signatures = Signatures(clock=lambda: self.now, mac=self.mac)

    def mac(self, key: bytes, text: bytes, algorithm: str) -> bytes:
        self.algorithms.append(algorithm)
        return hmac.digest(key, text, algorithm)

    def accepts(self, signature: str, *keys: str | None, body: bytes = b"{}") -> bool:
        signed = Signed(body=body, path=PATH, signature=signature)
        return self.signatures.accepts(signed, keys=[Secret(k) if k else None for k in keys])

    def stamped(self, signature: str, *, at: object = int(NOW), path: bytes = PATH) -> bool:
        signed = Signed(body=b"{}", path=path, signature=signature, timestamp=str(at))
        return self.signatures.accepts(signed, keys=[Secret(KEY)])


@pytest.fixture
def counted() -> Counted:
    return Counted()


def sign(text: bytes = b"{}", *, key: str = KEY, algorithm: str = "sha256") -> str:
    return f"{algorithm}={hmac.new(key.encode(), text, algorithm).hexdigest()}"


def stamp(at: object = int(NOW), path: bytes = PATH) -> str:
    return sign(f"{at}\n".encode() + path + b"\n{}")


@pytest.mark.parametrize("algorithm", ["sha224", "sha256", "sha384", "sha512"])
def test_algorithms_of_pipeline_controller_are_taken(counted: Counted, algorithm: str) -> None:
    assert counted.accepts(sign(algorithm=algorithm), KEY)
    assert counted.accepts(sign(algorithm=algorithm).replace("a", "A").replace("shA", "sha"), KEY)


@pytest.mark.parametrize("algorithm", ["sha1", "md5", "sha3_256", "blake2b"])
def test_other_algorithms_are_not(counted: Counted, algorithm: str) -> None:
    assert not counted.accepts(sign(algorithm=algorithm), KEY)


@pytest.mark.parametrize(
    "signature",
    ["", "sha256", "sha256=", "=", sign() + "=", sign()[:-1], sign().replace("sha256=", ""), "ü=ü"],
)
def test_malformed_signature_signs_nothing(counted: Counted, signature: str) -> None:
    assert not counted.accepts(signature, KEY)


def test_either_key_may_sign(counted: Counted) -> None:
    assert counted.accepts(sign(), KEY, "other")
    assert counted.accepts(sign(), "other", KEY)
    assert not counted.accepts(sign(), "other", "another")


@pytest.mark.parametrize("key", ["", "countersign"])
def test_absent_key_cannot_be_guessed(counted: Counted, key: str) -> None:
    """What stands in for a key that does not exist signs nothing."""
    assert not counted.accepts(sign(key=key), None, None)
    assert not counted.signatures.accepts(
        Signed(body=b"{}", path=PATH, signature=sign(key=key)), keys=[Secret("")]
    )


@pytest.mark.parametrize("keys", [(), (None, None), (KEY,), (KEY, "other"), (None, KEY)])
@pytest.mark.parametrize("signature", ["", "nonsense", sign(), sign(key="x")])
def test_work_is_the_same_whatever_there_is(
    counted: Counted, keys: tuple[str | None, ...], signature: str
) -> None:
    counted.accepts(signature, *keys)

    assert counted.algorithms == ["sha256", "sha256"]


def test_key_that_is_no_text_in_unicode_is_taken_as_it_is(counted: Counted) -> None:
    key = b"\xff\xfe-made-up"
    signature = "sha256=" + hmac.new(key, b"{}", hashlib.sha256).hexdigest()

    assert counted.accepts(signature, key.decode(errors="surrogateescape"))


def test_signature_over_path_and_time_is_taken_once(counted: Counted) -> None:
    assert counted.stamped(stamp())
    assert not counted.stamped(stamp())


def test_signature_cannot_be_used_for_another_path(counted: Counted) -> None:
    assert not counted.stamped(stamp(), path=b"/promotion/shop/checkout/prod")


def test_same_text_signed_with_another_algorithm_is_a_replay(counted: Counted) -> None:
    text = f"{int(NOW)}\n".encode() + PATH + b"\n{}"

    assert counted.stamped(sign(text))
    assert not counted.stamped(sign(text, algorithm="sha512"))


@pytest.mark.parametrize(
    "at", [int(NOW) - FRESH_S - 1, int(NOW) + FRESH_S + 1, "", "-1", "١٢", "1e9", "9" * 13, "0x10"]
)
def test_stale_or_malformed_time_is_refused(counted: Counted, at: object) -> None:
    assert not counted.stamped(stamp(at), at=at)


def test_signature_over_the_body_alone_does_not_sign_a_time(counted: Counted) -> None:
    assert not counted.stamped(sign())


def test_wrong_signature_is_not_remembered(counted: Counted) -> None:
    assert not counted.stamped(sign(key="wrong"))
    assert counted.stamped(stamp())


def test_memory_of_signatures_is_bounded(counted: Counted) -> None:
    for second in range(REMEMBERED_MAX + 10):
        path = b"/%d" % second
        assert counted.stamped(stamp(path=path), path=path)

    assert not counted.stamped(stamp(path=path), path=path)
    counted.now += 2 * FRESH_S + 1
    assert counted.stamped(stamp(int(counted.now)), at=int(counted.now))
