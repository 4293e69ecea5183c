"""Every job makes a key of its own, though all executors are copies of one process."""

from dataclasses import dataclass, field

import pytest
from doubles.pr_writer_stage import Runner, Story

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import CredentialMode, RedeemRequest
from countersign.pr_writer.jobs.model import OpenJob
from countersign.pr_writer.jobs.refusals import JobRefusal


@dataclass
class Keys:
    """Keeps the keys that delegations would be sealed to, and redeems nothing."""

    kept: list[bytes] = field(default_factory=list)

    async def redeem(self, _job: OpenJob, *, public_key: bytes) -> tuple[RedeemRequest, bytes]:
        self.kept.append(public_key)
        raise Rejected(JobRefusal.CREDENTIAL_MISSING, "nothing is redeemed here")


async def test_executors_make_different_keys(story: Story, runner: Runner) -> None:
    keys = Keys()
    job = story.job(story.requested(mode=CredentialMode.DELEGATED))

    for _ in range(3):
        with pytest.raises(Rejected, match="credential_missing"):
            await runner.pool.run(job, on_progress=_ignore, redeemer=keys)

    assert len(set(keys.kept)) == 3


async def _ignore(_progress: object) -> None:
    pass
