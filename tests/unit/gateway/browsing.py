"""A browser without a screen: keeps cookies, and does not follow redirects by itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from unit.gateway.doubles import Scene


def form_token(html: str) -> str:
    return html.split('name="form_token" value="', 1)[1].split('"', 1)[0]


@asynccontextmanager
async def browser(scene: Scene, *, person: str = "grace") -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody signed in; nobody where `person` is empty."""
    transport = httpx2.ASGITransport(app=scene.app)
    async with httpx2.AsyncClient(transport=transport, base_url=scene.public_url) as client:
        if person:
            page = (await client.get("/sign-in")).text
            answer = await client.post(
                "/sign-in", data={"form_token": form_token(page), "person": person}
            )
            assert answer.status_code == 303, answer.text
        yield client


async def token_of(client: httpx2.AsyncClient) -> str:
    return form_token((await client.get("/help")).text)
