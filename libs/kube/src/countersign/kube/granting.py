"""The shell line that gives our service accounts the right to read a Secret."""

import re
from typing import Final

NAMESPACE: Final = "countersign"
ACCOUNT_PREFIX: Final = "countersign-"
# Of a stored credential: one is of no use without the other.
_TOGETHER: Final = ("auditor", "pr-writer")
# As the API server says who asked in vain.
_ACCOUNT: Final = re.compile(r'User "system:serviceaccount:([a-z0-9-]{1,63}):([a-z0-9.-]{1,253})"')


def grant_line(*, namespace: str, secret: str, refusal: str) -> str:
    """A line for a shell that makes a Role for one Secret and binds it to those who need it.

    Args:
        namespace: of the Secret; a name that was checked, for it goes into a shell.
        secret: its name, checked as well.
        refusal: what the API server said to the one who asked.

    """
    who = _ACCOUNT.search(refusal)
    home, account = who.groups() if who else (NAMESPACE, f"{ACCOUNT_PREFIX}{_TOGETHER[0]}")
    accounts, role = [account], f"{account}-{secret}"
    if account.removeprefix(ACCOUNT_PREFIX) in _TOGETHER:
        accounts = [f"{ACCOUNT_PREFIX}{service}" for service in _TOGETHER]
        role = f"{ACCOUNT_PREFIX}credential-{secret}"
    bound = "".join(f" --serviceaccount={home}:{name}" for name in accounts)
    return (
        f"kubectl -n {namespace} create role {role} --verb=get --resource=secrets"
        f" --resource-name={secret} && kubectl -n {namespace} create rolebinding {role}"
        f" --role={role}{bound}"
    )
