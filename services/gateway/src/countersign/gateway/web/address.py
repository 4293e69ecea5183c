"""The gateway's address for browsers, and the cookie that follows from it."""

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Address:
    """Scheme, host and port, as browsers write them."""

    url: str

    @property
    def host(self) -> str:
        """The only `Host` that is answered."""
        return urlsplit(self.url).netloc

    @property
    def secure(self) -> bool:
        return self.url.startswith("https://")

    @property
    def cookie_name(self) -> str:
        # Without TLS a client need not send a Secure cookie back, and the prefix demands Secure.
        if self.secure:
            return "__Host-countersign"
        # Cookies do not tell ports apart, and several demonstrations may run on one machine.
        port = urlsplit(self.url).port
        return f"countersign-{port}" if port else "countersign"

    def cookie(self, value: str) -> str:
        """The `Set-Cookie` that names a session."""
        flags = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if self.secure else "")
        return f"{self.cookie_name}={value}{flags}"
