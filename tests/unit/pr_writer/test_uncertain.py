"""What a person's token opened after it could be looked for, told by the next who comes."""

from doubles import stories as s
from unit.pr_writer.test_bad_entries import NOW, Executors, Received, Service

from countersign.contracts.messages import (
    CredentialMode,
    OpeningStep,
    PullRequestMerged,
    PullRequestOpened,
)
from countersign.pr_writer.jobs.model import Job, OpenJob
from countersign.pr_writer.jobs.outcomes import Fate, Opened, Outcome, SeenPull

NEWER = "c" * 16


class Finding(Executors):
    """Finds a merged pull request at every branch that it is asked about, and one of nobody's."""

    def __init__(self) -> None:
        self.asked: list[OpenJob] = []

    async def run(self, job: Job) -> Outcome:
        outcome = await super().run(job)
        if not (isinstance(job, OpenJob) and isinstance(outcome, Opened)):
            return outcome
        self.asked.append(job)
        branches = (*job.uncertain, f"countersign/shop/checkout/prod/{'z' * 16}")
        others = tuple(
            SeenPull(
                attempt=1,
                pull_request=s.opened().pull_request.model_copy(
                    update={"number": 50 + n, "head_branch": branch}
                ),
                fate=Fate.MERGED,
            )
            for n, branch in enumerate(branches)
        )
        return outcome.model_copy(update={"others": others})


async def test_pull_request_that_nobody_could_look_for_is_told_by_the_next_job_once() -> None:
    executors = Finding()
    service = Service(executors)
    service.now_s = 100.0
    older = s.requested(mode=CredentialMode.DELEGATED)
    past = (older, s.begun("a1"), s.granted("a1"), s.progressed(OpeningStep.OPENING))
    for sequence, event in enumerate((*past, s.superseded()), 1):
        await service.projection.apply(Received(event, sequence))
    # Overtaken before it had sent anything, as many are that only waited for the lane.
    for number in range(8):
        ref = older.promotion.model_copy(update={"promotion_id": f"w{number:015d}"})
        waited = s.requested(mode=CredentialMode.DELEGATED, promotion=ref)
        after = (e.model_copy(update={"promotion": ref}) for e in (s.granted("a2"), s.superseded()))
        for event in (waited, *after):
            await service.projection.apply(Received(event, 6))
    service.now_s = 10_000.0
    for sequence, promotion_id in enumerate((NEWER, "d" * 16), 10):
        ref = older.promotion.model_copy(update={"promotion_id": promotion_id})
        job = Received(s.requested(mode=CredentialMode.STORED, promotion=ref), sequence, NOW)
        await service.projection.apply(job)
        await service.handling.on_work(job)

    assert [len(job.uncertain) for job in executors.asked] == [1, 0]
    told = [e for e in service.bus.events if isinstance(e, PullRequestOpened | PullRequestMerged)]
    of_older = [type(e) for e in told if e.promotion.promotion_id == older.promotion.promotion_id]
    assert of_older == [PullRequestOpened, PullRequestMerged]
    assert {e.promotion.promotion_id for e in told} == {
        older.promotion.promotion_id, NEWER, "d" * 16,
    }  # fmt: skip
