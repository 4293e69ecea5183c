"""Finds why a person must look at a promotion first, whatever its Pipeline says."""

from collections.abc import Iterable, Iterator

from countersign.contracts.messages import Caution, Content, Revision
from countersign.contracts.promotion import Promotion, State
from countersign.kube.pipelines.versions import is_lower
from countersign.watcher.decision.contents import is_written
from countersign.watcher.model import Link, Stage


def cautions_of(
    content: Content, *, above: Stage, link: Link, promotions: Iterable[Promotion]
) -> Iterator[Caution]:
    if above.current is not None and is_lower(
        version_of(content.revision), than=version_of(above.current)
    ):
        yield Caution.DOWNGRADE
    if _is_foreign(above, link=link, promotions=promotions):
        yield Caution.FOREIGN_CONTENT


def version_of(revision: Revision) -> str:
    return revision.version or revision.tag


def _is_foreign(above: Stage, *, link: Link, promotions: Iterable[Promotion]) -> bool:
    """Tell whether what was promoted last did run there, and something else does now.

    What has merely not arrived yet, and what nobody promoted ever, is nobody's doing.
    """
    if link.content is None or above.content is None:
        return False
    last = next((p for p in promotions if p.promotion_id == link.promotion_id), None)
    was_there = link.completed or (last is not None and last.state is State.UNDONE)
    return was_there and not is_written(link.content, above.content)
