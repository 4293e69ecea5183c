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

    @property
    def capsule_name(self) -> str:
        """The name of the cookie that holds a session for other replicas."""
        return f"{self.cookie_name}-session"

    def cookie(self, value: str) -> str:
        """The `Set-Cookie` that names a session."""
        return f"{self.cookie_name}={value}{self._flags}"

    def capsule(self, value: str) -> str:
        """The `Set-Cookie` that holds a session; an empty one takes it away."""
        ended = "" if value else "; Max-Age=0"
        return f"{self.capsule_name}={value}{self._flags}{ended}"

    @property
    def _flags(self) -> str:
        return "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if self.secure else "")
