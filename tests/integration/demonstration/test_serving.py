"""What `assent demo` serves: pages that one may sign in to, and a worker that seals."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from app.approvals.library import Library
from app.audit.model import Actor
from app.auth.model import Role
from app.auth.store import register_caller
from app.commands import demo
from app.db.tables import audit_seal
from app.settings import Settings

SOMEBODY = Actor("admin", "system", "SERVICE", "administrator", "test", "correlation-1")


def test_a_newcomer_signs_in_under_a_banner_and_the_log_is_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Settings(
        demonstration=True, data_dir=tmp_path, database_url=f"sqlite:///{tmp_path / 'demo.db'}"
    )
    settings = demo.open_to_invented_people(given, "127.0.0.1", 8123)
    door = demo._door(settings)
    door.transact(
        lambda work: register_caller(
            work, SOMEBODY, name="n", kind="system", organisation="DEMO1", role=Role.CLINICIAN
        )
    )
    desk: Any = SimpleNamespace(office=SimpleNamespace(library=Library(())))
    told: list[str] = []

    def look(app: Any, host: str, port: int, **_: Any) -> None:
        here = ("127.0.0.1", 50000)
        at = f"http://{host}:{port}"
        with TestClient(app, base_url=at, client=here, follow_redirects=False) as browser:
            told.append(browser.get("/sign-in").text)
            sent = {"who": "demo-demo1-clinician"}
            reply = browser.post("/sign-in/demonstration", data=sent)
            told.append(f"{reply.status_code} {'set-cookie' in reply.headers}")
        seals = sa.select(sa.func.count()).select_from(audit_seal)
        until = time.monotonic() + 120
        while time.monotonic() < until:
            count = door.read(lambda work: work.connection.scalar(seals))
            if count:
                told.append("sealed")
                return
            time.sleep(0.05)

    monkeypatch.setattr(demo.uvicorn, "run", look)
    demo._serve(settings, door, desk, "127.0.0.1", 8123)

    page, signed_in, *rest = told
    assert "Clinician of DEMO1 (demonstration)" in page
    assert "Demonstration: everything here is invented" in page
    assert signed_in == "303 True"
    assert rest == ["sealed"]


def test_sign_in_without_a_password_is_for_this_machine_only(tmp_path: Path) -> None:
    given = Settings(demonstration=True, data_dir=tmp_path)
    with pytest.raises(ValueError, match="this machine only"):
        demo.open_to_invented_people(given, "192.0.2.1", 8000)
    assert demo.open_to_invented_people(given, "::1", 8000).public_url == "http://[::1]:8000"
