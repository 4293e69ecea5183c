"""The table of REST endpoints: path, handler, who may call, which right it needs."""

from countersign.local.forge.answers import Answer, Call
from countersign.local.forge.limits import RateLimits
from countersign.local.forge.rest import (
    apps,
    comparisons,
    git_data,
    installations,
    pulls,
    repositories,
    users,
)
from countersign.local.forge.rest.rest import Endpoint, Guard
from countersign.local.forge.state.permissions import Level, Need

REPO = "/repos/{owner}/{repo}"
READS = {
    "contents": Need("contents"),
    "metadata": Need("metadata"),
    "pulls": Need("pull_requests"),
    "statuses": Need("statuses"),
}
WRITES_CONTENTS = Need("contents", Level.WRITE)
WRITES_PULLS = Need("pull_requests", Level.WRITE)
HOOKS = Need("repository_hooks", Level.ADMIN)


def endpoints(limits: RateLimits) -> tuple[Endpoint, ...]:
    return (*_people(limits), *_repositories(), *_git(), *_pulls(), *_applications())


def _people(limits: RateLimits) -> tuple[Endpoint, ...]:
    def rate_limit(call: Call) -> Answer:
        core = limits.state(call.caller, "core")
        graphql = limits.state(call.caller, "graphql")
        resources = {"core": core, "search": core, "graphql": graphql}
        return Answer(body={"resources": resources, "rate": core})

    holder = Guard.HOLDER
    return (
        Endpoint(method="GET", path="/", handler=users.root),
        Endpoint(method="GET", path="/meta", handler=users.meta),
        Endpoint(method="GET", path="/rate_limit", handler=rate_limit, counted=False),
        Endpoint(method="GET", path="/user", handler=users.user, guard=holder),
        Endpoint(
            method="GET",
            path="/user/installations",
            handler=users.user_installations,
            guard=holder,
        ),
        Endpoint(
            method="GET",
            path="/user/installations/{installation_id}/repositories",
            handler=users.user_installation_repositories,
            guard=holder,
        ),
        Endpoint(method="GET", path="/users/{username}", handler=users.user_by_login),
    )


def _repositories() -> tuple[Endpoint, ...]:
    here = repositories
    reads, metadata = READS["contents"], READS["metadata"]
    rows = (
        ("GET", "", here.repository, metadata),
        ("GET", "/branches/{branch:path}", here.branch, reads),
        ("GET", "/commits/{ref:path}/status", here.combined_status, READS["statuses"]),
        ("GET", "/commits/{ref:path}/statuses", here.statuses, READS["statuses"]),
        ("GET", "/commits/{ref:path}", here.commit, reads),
        ("GET", "/compare/{basehead:path}", comparisons.compare, reads),
        ("POST", "/statuses/{sha}", here.create_status, Need("statuses", Level.WRITE)),
        ("GET", "/contents", here.contents, reads),
        ("GET", "/contents/{path:path}", here.contents, reads),
        ("GET", "/hooks", here.hooks, HOOKS),
        ("POST", "/hooks", here.create_hook, HOOKS),
        (
            "GET",
            "/collaborators/{username}/permission",
            here.collaborator_permission,
            metadata,
        ),
    )
    return tuple(
        Endpoint(method=method, path=REPO + path, handler=handler, need=need)
        for method, path, handler, need in rows
    )


def _git() -> tuple[Endpoint, ...]:
    here, reads, writes = git_data, READS["contents"], WRITES_CONTENTS
    rows = (
        ("GET", "/ref/{ref:path}", here.get_ref, reads),
        ("GET", "/matching-refs/{ref:path}", here.matching_refs, reads),
        ("POST", "/refs", here.create_ref, writes),
        ("PATCH", "/refs/{ref:path}", here.update_ref, writes),
        ("DELETE", "/refs/{ref:path}", here.delete_ref, writes),
        ("GET", "/trees/{tree_sha:path}", here.get_tree, reads),
        ("POST", "/trees", here.create_tree, writes),
        ("GET", "/blobs/{file_sha}", here.get_blob, reads),
        ("POST", "/blobs", here.create_blob, writes),
        ("GET", "/commits/{commit_sha}", here.get_commit, reads),
        ("POST", "/commits", here.create_commit, writes),
    )
    return tuple(
        Endpoint(method=method, path=f"{REPO}/git{path}", handler=handler, need=need)
        for method, path, handler, need in rows
    )


def _pulls() -> tuple[Endpoint, ...]:
    here, reads, writes = pulls, READS["pulls"], WRITES_PULLS
    one, comments = "/pulls/{pull_number}", "/issues/{issue_number}/comments"
    rows = (
        ("GET", "/pulls", here.list_pulls, reads),
        ("POST", "/pulls", here.create_pull, writes),
        ("GET", one, here.get_pull, reads),
        ("PATCH", one, here.update_pull, writes),
        ("PUT", f"{one}/merge", here.merge_pull, WRITES_CONTENTS),
        ("GET", f"{one}/files", here.pull_files, reads),
        ("GET", comments, here.list_comments, reads),
        ("POST", comments, here.create_comment, writes),
        ("POST", "/issues/{issue_number}/labels", here.add_labels, writes),
    )
    return tuple(
        Endpoint(method=method, path=REPO + path, handler=handler, need=need)
        for method, path, handler, need in rows
    )


def _applications() -> tuple[Endpoint, ...]:
    here, installed = apps, installations
    app = "/applications/{client_id}"
    one = "/app/installations/{installation_id}"
    mine = "/installation/repositories"
    rows = (
        ("POST", f"{app}/token", here.check_token, Guard.CLIENT),
        ("PATCH", f"{app}/token", here.reset_token, Guard.CLIENT),
        ("DELETE", f"{app}/token", here.delete_token, Guard.CLIENT),
        ("POST", f"{app}/token/scoped", here.scope_token, Guard.CLIENT),
        ("DELETE", f"{app}/grant", here.delete_grant, Guard.CLIENT),
        ("POST", "/credentials/revoke", here.revoke_credentials, Guard.ANYONE),
        ("GET", "/app", installed.app, Guard.APP),
        ("GET", "/app/installations", installed.installations, Guard.APP),
        ("GET", one, installed.installation, Guard.APP),
        ("POST", f"{one}/access_tokens", installed.create_installation_token, Guard.APP),
        ("GET", f"{REPO}/installation", installed.repository_installation, Guard.APP),
        ("GET", mine, installed.installation_repositories, Guard.HOLDER),
        ("DELETE", "/installation/token", installed.delete_installation_token, Guard.HOLDER),
    )
    return tuple(
        Endpoint(method=method, path=path, handler=handler, guard=guard)
        for method, path, handler, guard in rows
    )
