"""What a test's service noted of security, as an operator's log has it at its quietest."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from app.logs import configure_logs

Told = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def told(capfd: pytest.CaptureFixture[str]) -> Iterator[Told]:
    """The security events since last asked."""
    before = structlog.get_config()
    configure_logs("error")
    structlog.configure(cache_logger_on_first_use=False)  # else other tests would keep it

    def read() -> list[dict[str, Any]]:
        lines = capfd.readouterr().err.splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [each for each in found if each["event"] == "security"]

    yield read
    structlog.configure(**before)
