"""How many may come from where."""

import ipaddress
from pathlib import Path

import pytest
from pydantic import ValidationError

from countersign.process.http.rates import PLACES_MAX, WINDOW_S, RateLimit, place_of
from countersign.watcher.settings import Settings

PROXIES = (ipaddress.ip_network("10.0.0.0/8"),)


@pytest.mark.parametrize(
    ("remote", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::7", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_place_is_an_address_or_the_network_of_one_household(remote: str, place: str) -> None:
    assert place_of(remote, forwarded="", proxies=()) == place


@pytest.mark.parametrize(
    ("remote", "forwarded", "place"),
    [
        pytest.param("192.0.2.7", "198.51.100.1", "192.0.2.7", id="not from a proxy"),
        pytest.param("10.0.0.1", "198.51.100.1", "198.51.100.1", id="from a proxy"),
        pytest.param("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1", id="what it added"),
        pytest.param("10.0.0.1", "198.51.100.1, 10.9.9.9", "198.51.100.1", id="two proxies"),
        pytest.param("10.0.0.1", "nonsense", "10.0.0.1", id="nonsense"),
        pytest.param("10.0.0.1", "", "10.0.0.1", id="says nothing"),
    ],
)
def test_forwarded_address_counts_where_a_proxy_says_so(
    remote: str, forwarded: str, place: str
) -> None:
    assert place_of(remote, forwarded=forwarded, proxies=PROXIES) == place


def test_window_is_full_and_begins_again() -> None:
    now = [0.0]
    rate = RateLimit(requests_max=2, clock=lambda: now[0])

    assert [rate.take("a"), rate.take("a")] == [0, 0]
    now[0] = 10.0
    assert rate.take("a") == WINDOW_S - 10
    assert rate.take("b") == 0
    now[0] = WINDOW_S
    assert rate.take("a") == 0


def test_memory_of_places_is_bounded() -> None:
    rate = RateLimit(requests_max=1, clock=lambda: 0.0)

    for place in range(PLACES_MAX + 1):
        rate.take(str(place))

    assert rate.take("0") == 0
    assert rate.take(str(PLACES_MAX)) > 0


def test_proxies_are_networks(tmp_path: Path) -> None:
    settings = Settings(cluster_dir=tmp_path, webhook_proxies="10.0.0.0/8, fd00::/8,")

    assert list(map(str, settings.proxies)) == ["10.0.0.0/8", "fd00::/8"]
    assert Settings(cluster_dir=tmp_path).proxies == ()


@pytest.mark.parametrize("written", ["nonsense", "10.0.0.1/8", "10.0.0.0/8 fd00::/8"])
def test_other_text_is_no_network(tmp_path: Path, written: str) -> None:
    with pytest.raises(ValidationError, match="COUNTERSIGN_WEBHOOK_PROXIES"):
        Settings(cluster_dir=tmp_path, webhook_proxies=written)
