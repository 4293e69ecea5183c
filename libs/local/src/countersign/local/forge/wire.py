"""GitHub's JSON for what the forge knows. Pure: record in, dictionary out.

Source: https://github.com/github/rest-api-description
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from countersign.local.forge.state.model import (
    App,
    Comment,
    Installation,
    Person,
    Repository,
    Status,
)
from countersign.local.forge.state.permissions import Level

Json = dict[str, Any]

USER_LINKS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}
REPOSITORY_LINKS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def maybe_stamp(moment: datetime | None) -> str | None:
    return stamp(moment) if moment else None


@dataclass(frozen=True)
class Account:
    """A person, an organisation, or an application's bot, as others see it."""

    id: int
    login: str
    type: str


@dataclass(frozen=True)
class Wire:
    """Writes absolute addresses below one origin."""

    origin: str

    @property
    def api(self) -> str:
        return f"{self.origin}/api/v3"

    def user(self, account: Account) -> Json:
        url = f"{self.api}/users/{account.login}"
        return {
            "login": account.login,
            "id": account.id,
            "node_id": f"U_{account.id}",
            "avatar_url": f"{self.origin}/avatars/{account.id}",
            "gravatar_id": "",
            "url": url,
            "html_url": f"{self.origin}/{account.login}",
            **{name: url + tail for name, tail in USER_LINKS.items()},
            "type": account.type,
            "site_admin": False,
        }

    def full_user(self, person: Person) -> Json:
        nothing = ("company", "location", "email", "hireable", "bio")
        counts = ("public_repos", "public_gists", "followers", "following")
        return {
            **self.user(Account(person.id, person.login, "User")),
            **dict.fromkeys(nothing),
            **dict.fromkeys(counts, 0),
            "name": person.name,
            "blog": "",
            "created_at": stamp(person.created_at),
            "updated_at": stamp(person.created_at),
        }

    def repository_url(self, repository: Repository) -> str:
        return f"{self.api}/repos/{repository.full_name}"

    def minimal_repository(self, repository: Repository, owner: Account) -> Json:
        url, html = self.repository_url(repository), f"{self.origin}/{repository.full_name}"
        return {
            "id": repository.id,
            "node_id": f"R_{repository.id}",
            "name": repository.name,
            "full_name": repository.full_name,
            "private": repository.private,
            "owner": self.user(owner),
            "html_url": html,
            "description": None,
            "fork": False,
            "url": url,
            **{name: url + tail for name, tail in REPOSITORY_LINKS.items()},
        }

    def repository(self, repository: Repository, owner: Account) -> Json:
        html, host = f"{self.origin}/{repository.full_name}", self.origin.partition("://")[2]
        counts = ("size", "stargazers_count", "watchers_count", "forks_count", "forks", "watchers")
        more = ("open_issues_count", "open_issues", "network_count", "subscribers_count")
        switches = ("has_wiki", "has_pages", "has_discussions", "archived", "disabled")
        return {
            **self.minimal_repository(repository, owner),
            **dict.fromkeys((*counts, *more), 0),
            **dict.fromkeys(switches, False),
            **dict.fromkeys(("has_issues", "has_projects", "has_downloads"), True),
            "git_url": f"git://{host}/{repository.full_name}.git",
            "ssh_url": f"git@{host}:{repository.full_name}.git",
            "clone_url": f"{html}.git",
            "svn_url": html,
            "homepage": None,
            "language": None,
            "license": None,
            "mirror_url": None,
            "visibility": "private" if repository.private else "public",
            "default_branch": repository.default_branch,
            "allow_merge_commit": True,
            "allow_squash_merge": True,
            "allow_rebase_merge": False,
            "pushed_at": stamp(repository.created_at),
            "created_at": stamp(repository.created_at),
            "updated_at": stamp(repository.created_at),
        }

    def comment(self, comment: Comment, author: Account) -> Json:
        issue = f"{self.api}/repos/{comment.repository}/issues"
        page = f"{self.origin}/{comment.repository}/pull/{comment.number}"
        return {
            "id": comment.id,
            "node_id": f"IC_{comment.id}",
            "url": f"{issue}/comments/{comment.id}",
            "html_url": f"{page}#issuecomment-{comment.id}",
            "issue_url": f"{issue}/{comment.number}",
            "body": comment.body,
            "user": self.user(author),
            "author_association": "COLLABORATOR",
            "created_at": stamp(comment.created_at),
            "updated_at": stamp(comment.created_at),
        }

    def status(self, status: Status, creator: Account) -> Json:
        return {
            "id": status.id,
            "node_id": f"S_{status.id}",
            "url": f"{self.api}/repos/{status.repository}/statuses/{status.sha}",
            "avatar_url": f"{self.origin}/avatars/{creator.id}",
            "state": status.state,
            "description": status.description,
            "target_url": status.target_url,
            "context": status.context,
            "created_at": stamp(status.created_at),
            "updated_at": stamp(status.created_at),
            "creator": self.user(creator),
        }

    def installation(self, installation: Installation, app: App, account: Account) -> Json:
        url = f"{self.api}/app/installations/{installation.id}"
        return {
            "id": installation.id,
            "account": self.user(account),
            "repository_selection": "selected",
            "access_tokens_url": f"{url}/access_tokens",
            "repositories_url": f"{self.api}/installation/repositories",
            "html_url": f"{self.origin}/settings/installations/{installation.id}",
            "app_id": app.id,
            "app_slug": app.slug,
            "target_id": account.id,
            "target_type": account.type,
            "permissions": {"metadata": "read", **app.permissions},
            "events": [],
            "single_file_name": None,
            "suspended_by": None,
            "suspended_at": None,
            "created_at": stamp(installation.created_at),
            "updated_at": stamp(installation.created_at),
        }

    def app(self, app: App, owner: Account) -> Json:
        return {
            "id": app.id,
            "slug": app.slug,
            "node_id": f"A_{app.id}",
            "client_id": app.client_id,
            "owner": self.user(owner),
            "name": app.name,
            "description": None,
            "external_url": self.origin,
            "html_url": f"{self.origin}/apps/{app.slug}",
            "created_at": stamp(app.created_at),
            "updated_at": stamp(app.created_at),
            "permissions": {"metadata": "read", **app.permissions},
            "events": [],
        }


def role_permissions(reached: Level) -> Json:
    """The `permissions` of a repository for the one who asks."""
    return {
        "admin": reached >= Level.ADMIN,
        "maintain": reached >= Level.ADMIN,
        "push": reached >= Level.WRITE,
        "triage": reached >= Level.WRITE,
        "pull": reached >= Level.READ,
    }
