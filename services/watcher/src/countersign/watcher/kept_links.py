"""The chain of promotions in memory: as long as this process, and the streams, remember."""

from countersign.kube.pipelines import Pipeline
from countersign.watcher.model import Links, Situation


class KeptLinks:
    def __init__(self) -> None:
        self._links: dict[str, Links] = {}

    def read(self, pipeline: Pipeline) -> Links:
        return self._links.get(pipeline.ref.uid, {})

    def write(self, pipeline: Pipeline, links: Links) -> None:
        self._links[pipeline.ref.uid] = dict(links)

    def published(self, situation: Situation) -> None:
        """Nothing that anybody else would look at."""
