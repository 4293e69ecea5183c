"""One kind's double, as the suite of behaviours uses it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from doubles.forge.asgi import ForgeApi
from doubles.forge.oauth import SmallOAuth
from doubles.forge.state import SmallForge

Asked = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Wire:
    """Method and a part of the address by which some requests of a kind are known.

    Args:
        repository: the first that a look at `acme/fleet` sends.
        commit: what makes a commit.
        close: what closes a pull request.
        wrong: requests that no vendor describes, with their bodies.
        tells_role: whether a look tells what a person may do, before it is tried.

    """

    repository: Asked
    commit: Asked
    close: Asked
    wrong: tuple[tuple[str, str, Any], ...]
    tells_role: bool = True


@dataclass(frozen=True, kw_only=True)
class Double:
    """
    Args:
        api: serves a forge of this kind.
        oauth: its sign-in; none where nobody can delegate there.
        vendor: whose description its requests and answers are held against.
        api_path: of its API, below the origin; what people call `api` on the forge list.
        clone_path: of the repository `acme/fleet`, as people clone it.
        sign_in_path: of where people sign in, where that is not the forge itself.
        scopes: all that a promotion's token needs.
        commenting: what a stored one has besides, to comment.
        labelling: what any has besides, where the forge list wants labels.
        tells_modes: whether a listing tells executable files and symbolic links from others.

    """

    api: Callable[[SmallForge, SmallOAuth | None], ForgeApi]
    oauth: type[SmallOAuth] | None
    vendor: str
    wire: Wire
    api_path: str = ""
    clone_path: str = "/acme/fleet.git"
    sign_in_path: str = ""
    scopes: tuple[str, ...] = ()
    commenting: tuple[str, ...] = ()
    labelling: tuple[str, ...] = ()
    tells_modes: bool = True
