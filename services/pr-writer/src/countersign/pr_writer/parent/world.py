"""The parts that the jobs of a replica are done with."""

from dataclasses import dataclass

from countersign.contracts.forge_list import ForgeList
from countersign.pr_writer.jobs.model import ClusterAddress
from countersign.pr_writer.parent.announcing import Telling
from countersign.pr_writer.parent.interfaces import Executors, Redeemer
from countersign.pr_writer.parent.projection import Board


@dataclass(frozen=True, kw_only=True)
class World:
    """All that the parts share.

    Args:
        board: what is known of promotions.
        executors: do the jobs.
        redeemer: obtains what was delegated for one.
        telling: publishes how they go.
        forges: the administrator's list.
        cluster: where an executor finds stored credentials.
        secrets_dir: where it does without a cluster.

    """

    board: Board
    executors: Executors
    redeemer: Redeemer
    telling: Telling
    forges: ForgeList
    cluster: ClusterAddress | None = None
    secrets_dir: str = ""

    @property
    def places(self) -> dict[str, object]:
        """Return what each job is told of them."""
        return {"cluster": self.cluster, "secrets_dir": self.secrets_dir}
