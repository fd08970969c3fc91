"""`assent slices deltas`, where no closed month has changed."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app


@pytest.mark.parametrize("form", ["text", "csv", "json"])
def test_it_says_that_nothing_has_changed(tmp_path: Path, form: str) -> None:
    runner = CliRunner(env={"ASSENT_DATA_DIR": str(tmp_path), "ASSENT_DEMONSTRATION": "true"})
    assert runner.invoke(app, ["db", "upgrade"]).exit_code == 0
    done = runner.invoke(app, ["slices", "deltas", "--organisation", "DEMQ1", "--format", form])
    assert done.exit_code == 0, done.output
    if form == "text":
        assert done.stdout == "No line of a closed month has changed since it was frozen.\n"
    elif form == "csv":
        (header,) = csv.reader(done.stdout.splitlines())
        assert "ACCEPTED DIFFERENCE" in header
    else:
        assert json.loads(done.stdout) == {"deltas": [], "left_out": 0, "slices": []}
