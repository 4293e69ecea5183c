"""The scopes of classic tokens and of those of OAuth apps, and what they let somebody do. Pure."""

from typing import Final

from countersign.dialects.inspection import ScopeRules

# Source: https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps
SCOPES: Final = ScopeRules(
    sufficient=frozenset({"repo", "public_repo"}),
    unbounded=frozenset({"repo"}),
    powerful=frozenset({"admin:org", "workflow", "delete_repo", "admin:repo_hook", "write:org"}),
    # Parts of `repo`, and what tells whose it is.
    harmless=frozenset(
        {"repo:status", "repo_deployment", "repo:invite", "security_events"}
        | {"read:user", "user:email", "read:org"}
    ),
    meanings={
        "repo": "read and write code, settings and pull requests of every repository that its "
        "owner can",
        "admin:org": "manage members, teams and settings of every organization of its owner",
        "read:org": "list members and teams of every organization of its owner",
        "read:user": "read its owner's profile",
        "user:email": "read its owner's mail addresses",
        "repo:status": "set statuses of commits",
        "write:org": "change members and teams of every organization of its owner",
        "workflow": "change workflows, which run with the secrets of a repository",
        "delete_repo": "delete any repository that its owner administers, of organizations too",
        "admin:repo_hook": "make and delete webhooks of every repository of its owner",
        "write:repo_hook": "make and change webhooks of every repository of its owner",
        "read:repo_hook": "read webhooks of every repository of its owner",
        "admin:org_hook": "make and delete webhooks of every organization of its owner",
        "admin:public_key": "add SSH keys to its owner's account, and so push as them",
        "write:public_key": "add SSH keys to its owner's account, and so push as them",
        "read:public_key": "list SSH keys of its owner",
        "admin:ssh_signing_key": "add keys that sign commits in its owner's name",
        "admin:gpg_key": "add keys that sign commits in its owner's name",
        "write:gpg_key": "add keys that sign commits in its owner's name",
        "write:packages": "publish packages in its owner's name",
        "delete:packages": "delete packages",
        "read:packages": "download private packages",
        "admin:enterprise": "administer the enterprise",
        "site_admin": "administer the whole server",
        "gist": "write gists in its owner's name",
        "notifications": "read and mark notifications of its owner",
        "user": "read and change its owner's profile",
        "user:follow": "follow people in its owner's name",
        "project": "read and write projects",
        "read:project": "read projects",
        "write:discussion": "write discussions of teams in its owner's name",
        "read:discussion": "read discussions of teams",
        "codespace": "make and use codespaces of its owner",
        "read:audit_log": "read the audit log",
        "public_repo": "write to every public repository that its owner can",
    },
)
# With one of these a token sees all members of its owner's organizations.
SEES_MEMBERS: Final = frozenset({"read:org", "write:org", "admin:org"})
