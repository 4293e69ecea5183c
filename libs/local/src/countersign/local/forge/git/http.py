"""Clone, fetch and push over HTTP: git's own `http-backend`, with our rights around it.

Source: https://git-scm.com/docs/git-http-backend
"""

import asyncio
import os
from asyncio.subprocess import PIPE

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from countersign.local.forge.answers import Refused
from countersign.local.forge.git import branching, objects
from countersign.local.forge.git.branching import Change
from countersign.local.forge.rest.rest import caller_of, read_body
from countersign.local.forge.state.model import Repository
from countersign.local.forge.state.permissions import Caller, Level, Need, refusal
from countersign.local.forge.state.service import Service

BACKEND_TIMEOUT_S = 60.0
PUSH_BYTES_MAX = 256 * 1024 * 1024
RECEIVE = "git-receive-pack"
SERVED = ("info/refs", "git-upload-pack", RECEIVE)


class GitHttp:
    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        path = "/{owner}/{repo}.git/{rest:path}"
        return [Route(path, self.answer, methods=["GET", "POST"])]

    async def answer(self, request: Request) -> Response:
        rest = request.path_params["rest"]
        if rest not in SERVED:
            return Response("Not Found\n", status_code=404)
        pushing = RECEIVE in (rest, request.query_params.get("service"))
        try:
            caller = caller_of(self._service, request.headers.get("authorization", ""))
            repository = self._repository(request, caller, pushing=pushing)
        except Refused as refused:
            return _refusal(refused)
        body = await read_body(request, body_bytes_max=PUSH_BYTES_MAX)
        repo = self._service.store.git(repository)
        before = objects.all_refs(repo)
        answer = await self._backend(request, repository, caller, body)
        if rest == RECEIVE:
            self._follow(repository, before, objects.all_refs(repo), caller.login)
        return answer

    def _repository(self, request: Request, caller: Caller, *, pushing: bool) -> Repository:
        params = request.path_params
        found = self._service.store.repository(params["owner"], params["repo"])
        level = Level.WRITE if pushing else Level.READ
        refused = refusal(caller, found, Need("contents", level)) if found else None
        if found is None or refused:
            # git asks for a password only after a 401, so who gave none is asked first.
            status = 401 if caller.token is None else refused.status if refused else 404
            raise Refused(status, refused.message if refused else "Repository not found.")
        return found

    async def _backend(
        self, request: Request, repository: Repository, caller: Caller, body: bytes
    ) -> Response:
        git_dir = self._service.store.git_dir(repository)
        protected = " ".join(branching.HEADS + name for name in repository.protected)
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(git_dir),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROJECT_ROOT": str(git_dir),
            "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
            "PATH_INFO": "/" + request.path_params["rest"],
            "QUERY_STRING": request.url.query,
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
            "REMOTE_USER": caller.login,
            "REMOTE_ADDR": "127.0.0.1",
            "FORGE_PROTECTED_REFS": protected,
        }
        process = await asyncio.create_subprocess_exec(
            "git", "http-backend", stdin=PIPE, stdout=PIPE, env=environment
        )
        try:
            async with asyncio.timeout(BACKEND_TIMEOUT_S):
                out, _ = await process.communicate(body)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return _from_cgi(out)

    def _follow(
        self, repository: Repository, before: dict[str, str], after: dict[str, str], by: str
    ) -> None:
        for ref in sorted(before.keys() | after.keys()):
            if ref != "HEAD" and before.get(ref) != after.get(ref):
                change = Change(ref=ref, before=before.get(ref), after=after.get(ref))
                branching.after_change(self._service, repository, change, by)


def _refusal(refused: Refused) -> Response:
    headers = {"www-authenticate": 'Basic realm="Local forge"'} if refused.status == 401 else {}  # noqa: PLR2004 - Unauthorized
    return Response(refused.message + "\n", status_code=refused.status, headers=headers)


def _from_cgi(out: bytes) -> Response:
    head, _, body = out.partition(b"\r\n\r\n")
    headers = {}
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    status = int(headers.pop("status", "200").split(" ")[0])
    return Response(body, status_code=status, headers=headers)
