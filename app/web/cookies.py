"""The two cookies: one of the session, one of a sign-in under way.

`__Host-` makes browsers insist on Secure, on Path=/ and on no Domain, so that no other host of the
same site can set or read them. They are forgotten with the browser's own session.
"""

from typing import Final

from fastapi import Request, Response

SESSION: Final = "__Host-assent-session"
SIGN_IN: Final = "__Host-assent-sign-in"


def read(request: Request, name: str) -> str:
    """The cookie's value, or nothing."""
    return request.cookies.get(name, "")


def give(reply: Response, name: str, value: str) -> None:
    """Set a cookie that no script can read and no other site can send with a form."""
    reply.set_cookie(name, value, path="/", secure=True, httponly=True, samesite="lax")


def take_back(reply: Response, name: str) -> None:
    """Let the browser forget a cookie."""
    reply.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")
