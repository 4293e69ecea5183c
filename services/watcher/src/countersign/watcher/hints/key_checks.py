"""Looks now and then whether the keys of promotion hints can be read, before anybody sends one.

Nothing of it reaches the hook, which reads keys itself: what a caller can measure there does not
depend on whether a Secret was looked at here.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import SecretRef
from countersign.kube.access.stored_secrets import FORBIDDEN, MISSING
from countersign.kube.objects import ObjectKey
from countersign.kube.pipelines.findings import FindingCode
from countersign.process.tasks.entries import one_entry
from countersign.telemetry.logs import get_logger
from countersign.watcher.hints.keys import KEY, LOOKUPS_AT_ONCE_MAX, is_usable
from countersign.watcher.interfaces import HmacKeys, Sleep
from countersign.watcher.observation.inventory import Inventory
from countersign.watcher.observation.key_findings import KeyFindings, Place, places_of

log = get_logger()

STEP_S: Final = 2.0
LOOKS_PER_STEP_MAX: Final = 10
LOOK_TIMEOUT_S: Final = 5.0
# Somebody who mends it wants to see that; what is well is seldom broken.
BAD_AGAIN_S: Final = 10.0
GOOD_AGAIN_S: Final = 600.0
# Where another watcher says something else, one of both has not looked since it changed.
DOUBTED_AGAIN_S: Final = 2.0
# By why a Secret was refused; a key that is there and unusable is as good as none.
_CODES: Final[Mapping[str, FindingCode]] = {
    FORBIDDEN: FindingCode.SECRET_FORBIDDEN,
    MISSING: FindingCode.SECRET_MISSING,
}

Look = Callable[[Iterable[ObjectKey]], None]


class KeyChecks:
    """Checks the keys in all Secrets that Pipelines name for hints, a few at a time.

    Args:
        look: at Pipelines again, for something else is known of their Secrets.

    """

    def __init__(
        self,
        keys: HmacKeys,
        *,
        inventory: Inventory,
        problems: KeyFindings,
        look: Look,
        clock: Callable[[], float],
    ) -> None:
        self._keys = keys
        self._inventory = inventory
        self._problems = problems
        self._look = look
        self._clock = clock
        self._looked_at: dict[Place, float] = {}
        self._turns = asyncio.Semaphore(LOOKUPS_AT_ONCE_MAX)

    async def run(self, sleep: Sleep) -> None:
        """Look until cancelled."""
        while True:
            await self.step()
            await sleep(STEP_S)

    async def step(self) -> None:
        named: dict[Place, set[ObjectKey]] = {}
        doubted: set[Place] = set()
        doubts = self._problems.take_doubted()
        for key, pipeline in self._inventory.pipelines.items():
            for place in places_of(pipeline):
                named.setdefault(place, set()).add(key)
                if key in doubts:
                    doubted.add(place)
        self._problems.keep(set(named))
        self._looked_at = {p: at for p, at in self._looked_at.items() if p in named}
        now = self._clock()
        due = sorted((self._due_at(p, doubted=p in doubted), p) for p in named)
        places = [place for at, place in due if at <= now][:LOOKS_PER_STEP_MAX]
        async with asyncio.TaskGroup() as tasks:
            looks = [tasks.create_task(self._is_news(place)) for place in places]
        concerned = [named[p] for p, task in zip(places, looks, strict=True) if task.result()]
        if concerned:
            self._look(set().union(*concerned))

    def _due_at(self, place: Place, *, doubted: bool) -> float:
        if place not in self._looked_at:
            return 0.0
        again_s = GOOD_AGAIN_S if self._problems.is_well(place) else BAD_AGAIN_S
        return self._looked_at[place] + (DOUBTED_AGAIN_S if doubted else again_s)

    async def _is_news(self, place: Place) -> bool:
        secret = SecretRef(namespace=place[0], name=place[1])
        self._looked_at[place] = self._clock()
        with one_entry("look at keys", namespace=place[0], secret=place[1]):
            return await self._look_for_key(place, secret)
        return False

    async def _look_for_key(self, place: Place, secret: SecretRef) -> bool:
        try:
            async with self._turns, asyncio.timeout(LOOK_TIMEOUT_S):
                key = await self._keys.read(secret)
        except Rejected as refusal:
            code, message = _CODES.get(refusal.reason, FindingCode.NO_HMAC_KEY), refusal.message
            if code is FindingCode.SECRET_MISSING:
                message = f"{message}; create it with a key {KEY}"
            return self._tell(place, code=code, message=message)
        except (Retryable, TimeoutError):
            return False
        if not is_usable(key):
            message = f"it has no key {KEY} that is text; add one, or nobody can sign"
            return self._tell(place, code=FindingCode.NO_HMAC_KEY, message=message)
        return self._tell(place)

    def _tell(self, place: Place, *, code: FindingCode | None = None, message: str = "") -> bool:
        is_news = self._problems.tell(place, code=code, message=message)
        if is_news and code:
            namespace, name = place
            log.warning("hook_secret.bad", namespace=namespace, secret=name, reason=code)
        return is_news
