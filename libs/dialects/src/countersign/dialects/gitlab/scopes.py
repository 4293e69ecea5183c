"""The scopes of GitLab's tokens, and what they let somebody do. Pure."""

from typing import Final

from countersign.dialects.inspection import ScopeRules

# Source: https://docs.gitlab.com/user/profile/personal_access_tokens/#personal-access-token-scopes
SCOPES: Final = ScopeRules(
    sufficient=frozenset({"api"}),
    unbounded=frozenset({"api"}),
    powerful=frozenset({"sudo", "admin_mode", "create_runner", "manage_runner", "k8s_proxy"}),
    # Parts of `api`, and what renews the token itself.
    harmless=frozenset(
        {"read_user", "read_api", "read_repository", "write_repository", "self_rotate"}
    ),
    meanings={
        "api": "do everything that its owner can, in every project and group",
        "sudo": "act as anybody else on the whole server",
        "admin_mode": "administer the whole server while that is asked for anew",
        "create_runner": "register runners, which run jobs with the secrets of projects",
        "manage_runner": "change and delete runners, which run jobs with the secrets of projects",
        "k8s_proxy": "reach clusters through their agents",
        "ai_features": "use the assistant in its owner's name",
        "read_registry": "pull private images",
        "write_registry": "push images, which others run",
        "read_virtual_registry": "pull images through the proxy",
        "write_virtual_registry": "change images in the proxy",
        "read_service_ping": "read figures of the server's use",
    },
)
