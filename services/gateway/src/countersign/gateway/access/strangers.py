"""Those who are not signed in yet: so many may try from one place, and no more.

Each sign-in that begins is remembered for ten minutes, and the oldest give way: without a limit
one of them could keep everybody else out.
"""

from collections.abc import Sequence

from countersign.process.http.rates import Network, RateLimit, place_of


class Strangers:
    """Counts their requests by where they come from.

    Args:
        rate: how many from one place.
        proxies: whose word for that is believed.

    """

    def __init__(self, *, rate: RateLimit, proxies: Sequence[Network] = ()) -> None:
        self._rate = rate
        self._proxies = proxies

    def wait_s(self, remote: str, *, forwarded: str) -> float:
        """Return the seconds to wait; 0 where the request may be answered.

        Behind a proxy that nobody named everybody has its address, and one could lock all out:
        then there is no limit.
        """
        direct = place_of(remote, forwarded="", proxies=())
        place = place_of(remote, forwarded=forwarded, proxies=self._proxies)
        if forwarded and place == direct:
            return 0.0
        return self._rate.take(place)
