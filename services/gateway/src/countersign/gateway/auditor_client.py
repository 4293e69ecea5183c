"""Requests to the auditor."""

from datetime import datetime
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import CheckRequest, CheckResponse, Person, SecretRef
from countersign.gateway.interfaces import Requests
from countersign.gateway.model import PipelineKey
from countersign.gateway.refusals import refusal_of

# The auditor asks the forge before it answers, a few questions at most.
CHECK_TIMEOUT_S: Final = 30.0


class AuditorClient:
    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    async def check(self, key: PipelineKey, *, person: Person) -> datetime | None:
        """Have a credential checked now.

        Returns:
            None, or when the forge is asked if it may not be now.

        Raises:
            Rejected: `not_named`, no Pipeline names it.
            Retryable: the auditor does not answer.

        """
        request = CheckRequest(
            credential=SecretRef(namespace=key.namespace, name=key.name), person=person
        )
        answer = await self._requests.request("auditor.check", request, timeout_s=CHECK_TIMEOUT_S)
        if not isinstance(answer, CheckResponse):
            raise TypeError(f"auditor.check was answered with {type(answer).__name__}")
        if answer.problem is not None:
            raise Rejected(refusal_of(answer.problem.code), answer.problem.message)
        return answer.asked_again_at
