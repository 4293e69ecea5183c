"""How somebody gives our service accounts the right to read a Secret."""

import re
from typing import Final

NAMESPACE: Final = "countersign"
ACCOUNT_PREFIX: Final = "countersign-"
# As the API server says who asked in vain.
_ACCOUNT: Final = re.compile(r'User "system:serviceaccount:([a-z0-9-]{1,63}):([a-z0-9.-]{1,253})"')


def grant_line(*, namespace: str, secret: str, refusal: str) -> str:
    """A line for a shell that makes a Role for one Secret and binds it to who was refused.

    Args:
        namespace: of the Secret; a name that was checked, for it goes into a shell.
        secret: its name, checked as well.
        refusal: what the API server said.

    """
    who = _ACCOUNT.search(refusal)
    home, account = who.groups() if who else (NAMESPACE, f"{ACCOUNT_PREFIX}pr-writer")
    role = f"{account}-{secret}"
    return (
        f"kubectl -n {namespace} create role {role} --verb=get --resource=secrets"
        f" --resource-name={secret} && kubectl -n {namespace} create rolebinding {role}"
        f" --role={role} --serviceaccount={home}:{account}"
    )
