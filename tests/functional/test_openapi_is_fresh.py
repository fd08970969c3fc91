"""The published description of the API is the code's own, and complete."""

import pytest

from app.api.openapi import METHODS, description_of, openapi_text
from app.commands.openapi import FILE, current_application, current_text

OPERATIONS = [
    pytest.param(path, method, operation, id=f"{method} {path}")
    for path, methods in current_application().openapi()["paths"].items()
    for method, operation in methods.items()
    if method in METHODS
]
WRITES = {"post", "put", "patch", "delete"}


def test_the_file_is_fresh() -> None:
    assert FILE.read_text(encoding="utf-8") == current_text(), "run 'assent openapi --write'"


def test_the_description_is_the_same_text_at_every_run() -> None:
    anew = current_application()
    anew.openapi_schema = description_of(anew.routes)  # which a process remembers otherwise
    assert openapi_text(anew) == current_text()


def test_a_route_that_is_added_is_described_too() -> None:
    more, plain = current_application(), current_application()
    more.get("/more")(lambda: None)

    assert set(more.openapi()["paths"]) == {*plain.openapi()["paths"], "/more"}


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_operation_documents_each_reply(path: str, method: str, operation: dict) -> None:
    assert operation["summary"]
    assert operation["description"]
    for status, response in operation["responses"].items():
        assert response["description"]
        media_types = set(response.get("content", {}))
        assert media_types, f"{status} has no content"
        if int(status) >= 400:
            assert media_types == {"application/problem+json"}


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_operation_under_v1_needs_a_token(path: str, method: str, operation: dict) -> None:
    if path.startswith("/v1/"):
        assert operation["security"] == [{"HTTPBearer": []}]
        assert {"401", "503"} <= set(operation["responses"])


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_write_is_named_by_a_request_id(path: str, method: str, operation: dict) -> None:
    named = {p["name"] for p in operation["parameters"] if p["in"] == "header" and p["required"]}
    # A token is asked for with an assertion that is used once: that is its name. A preview
    # stores nothing at all.
    unnamed = {"/oauth2/token", "/v1/submission-previews", "/v1/empty-month-previews"}
    assert ("X-Request-ID" in named) == (method in WRITES and path not in unnamed)
