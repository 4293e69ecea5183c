"""The scopes of Azure DevOps' tokens, and what they let somebody do. Pure."""

from typing import Final

from countersign.dialects.inspection import ScopeRules

# Source: https://learn.microsoft.com/en-us/azure/devops/integrate/get-started/authentication/oauth#scopes
SCOPES: Final = ScopeRules(
    sufficient=frozenset(
        {"vso.code_write", "vso.code_manage", "vso.code_full", "user_impersonation"}
    ),
    unbounded=frozenset(
        {"vso.code_write", "vso.code_manage", "vso.code_full", "user_impersonation"}
    ),
    powerful=frozenset(
        {
            "user_impersonation",
            "vso.code_manage",
            "vso.code_full",
            "vso.build_execute",
            "vso.release_execute",
            "vso.release_manage",
            "vso.agentpools_manage",
            "vso.serviceendpoint_manage",
            "vso.variablegroups_write",
            "vso.variablegroups_manage",
            "vso.securefiles_manage",
            "vso.pipelineresources_manage",
            "vso.project_write",
            "vso.project_manage",
            "vso.security_manage",
            "vso.graph_manage",
            "vso.memberentitlementmanagement_write",
            "vso.tokens",
            "vso.tokenadministration",
            "vso.extension_manage",
        }
    ),
    harmless=frozenset(
        {
            "vso.code",
            "vso.code_status",
            "vso.profile",
            "vso.identity",
            "vso.project",
            "vso.threads_full",
        }
    ),
    meanings={
        "user_impersonation": "do everything that its owner can, in every organization",
        "vso.code_write": "push to every repository that its owner may write to, and open pull "
        "requests there",
        "vso.code_manage": "make, change and delete repositories",
        "vso.code_full": "do everything with the code of every repository, and tell of it",
        "vso.build_execute": "run pipelines, which see their secrets",
        "vso.release_execute": "make releases, which see their secrets",
        "vso.release_manage": "change and delete releases and what they run",
        "vso.agentpools_manage": "register agents, which run jobs with their secrets",
        "vso.serviceendpoint_manage": "make and change connections to other systems",
        "vso.variablegroups_write": "read and change variables of pipelines",
        "vso.variablegroups_manage": "make, change and delete variables of pipelines",
        "vso.securefiles_manage": "change and delete files that pipelines keep secret",
        "vso.pipelineresources_manage": "let pipelines use what is protected from them",
        "vso.project_write": "change projects and teams",
        "vso.project_manage": "make and delete projects",
        "vso.security_manage": "change who may do what",
        "vso.graph_manage": "change groups and who is in them",
        "vso.memberentitlementmanagement_write": "let people in, and remove them",
        "vso.tokens": "make and revoke tokens in its owner's name",
        "vso.tokenadministration": "revoke tokens of other people",
        "vso.extension_manage": "install extensions",
        "vso.packaging_write": "publish packages, which others run",
        "vso.work_write": "change work items",
        "vso.hooks_write": "make and change service hooks",
    },
)
