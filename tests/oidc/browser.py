"""A person's browser in the tests: our pages through the test client, the provider's over HTTP."""

import re
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi.testclient import TestClient

PUBLIC = "https://assent.test"
SESSION = "__Host-assent-session"
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')
_XSRF = re.compile(r'name="xsrf" value="([^"]+)"')


@dataclass
class Browser:
    """Keeps cookies of both; follows the provider's redirects, but never ours by itself."""

    ours: TestClient
    theirs: httpx.Client = field(default_factory=httpx.Client)

    def start(self) -> str:
        """Begin to sign in; the provider's address that we send the browser to."""
        reply = self.ours.get("/sign-in/start")
        assert reply.status_code == 303, reply.text
        return str(reply.headers["location"])

    def at_provider(self, address: str, who: str) -> str:
        """Sign in there as somebody; the path of ours, with code and state, to go back to."""
        address = f"{address}&login_hint={who}"
        for _ in range(10):
            reply = self.theirs.get(address)
            assert reply.is_redirect, f"{reply.status_code} {reply.text[:500]}"
            address = str(reply.next_request.url) if reply.next_request else ""
            if address.startswith(PUBLIC):
                return address.removeprefix(PUBLIC)
        raise AssertionError("the provider redirects without end")

    def sign_in(self, who: str) -> httpx.Response:
        """The whole way; our reply to the callback."""
        return self.ours.get(self.at_provider(self.start(), who))

    def get(self, path: str) -> Any:
        return self.ours.get(path)

    def submit(self, page: str, action: str, **fields: str) -> Any:
        """Send a form of a page, with the token that stands in it."""
        return self.ours.post(action, data={"csrf": self.csrf(page), **fields})

    def csrf(self, page: str) -> str:
        found = _CSRF.search(self.get(page).text)
        assert found is not None, f"{page} has no form"
        return found.group(1)

    def secret(self) -> str | None:
        return self.ours.cookies.get(SESSION)

    def sign_out_there(self, address: str) -> str:
        """Confirm the signing out at the provider; where it sends the browser then."""
        shown = self.theirs.get(address)
        found = _XSRF.search(shown.text)
        assert found is not None, shown.text[:500]
        done = self.theirs.post(
            f"{address.split('?')[0]}/confirm", data={"xsrf": found.group(1), "logout": "yes"}
        )
        return str(done.headers.get("location", ""))
