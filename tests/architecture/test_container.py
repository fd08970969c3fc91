"""The image and the compose file, as far as they can be checked without an engine to run them."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from app.settings import Settings
from tests.architecture.repository import ROOT, files

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = ROOT / "docker-compose.yml"
RUN = ROOT / ".ci" / "run"
SETTINGS = {f"ASSENT_{name.upper()}" for name in Settings.model_fields}


def services() -> dict[str, Any]:
    """The services of the compose file."""
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    return found


def copied() -> list[str]:
    """What the image takes from the repository."""
    return [
        source
        for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.M)
        if not line.startswith("--from=")
        for source in line.split()
    ]


def test_what_the_image_copies_exists_and_is_let_through_to_the_builder() -> None:
    let_through = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.M))
    assert copied()
    assert [name for name in copied() if not (ROOT / name).exists()] == []
    assert {name.split("/")[0] for name in copied()} == let_through


def test_the_image_takes_no_folder_that_git_ignores_or_that_holds_data() -> None:
    tops = {path.relative_to(ROOT).parts[0] for path in files()}
    assert {name.split("/")[0] for name in copied()} <= tops


def test_the_image_installs_by_hash_and_does_not_run_as_root() -> None:
    assert re.search(r"pip install .*--require-hashes .*-r requirements\.lock", DOCKERFILE)
    assert re.search(r"pip install .*--require-hashes .*-r requirements-node\.lock", DOCKERFILE)
    users = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert users == ["assent"]
    after = DOCKERFILE.split("USER assent", 1)[1]
    assert not re.search(r"^(RUN|COPY) ", after, re.MULTILINE)


def test_the_image_and_the_compose_file_set_only_settings_that_exist() -> None:
    in_image = set(re.findall(r"\b(ASSENT_[A-Z_]+)=", DOCKERFILE))
    in_compose = {
        name
        for service in services().values()
        for name in service.get("environment", {})
        if name.startswith("ASSENT_")
    }
    assert in_image
    assert in_compose
    assert (in_image | in_compose) <= SETTINGS


def test_the_compose_file_keeps_to_its_specification() -> None:
    program = Path(sys.executable).with_name("check-jsonschema")
    command = [program, "--builtin-schema", "vendor.compose-spec", COMPOSE]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_nothing_serves_before_the_database_is_migrated() -> None:
    ours = services()
    assert set(ours) == {"postgres", "migrate", "service", "worker"}
    assert ours["migrate"]["command"] == [
        "sh",
        "-c",
        "assent db upgrade && assent db grant assent_service",
    ]
    assert ours["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("service", "worker"):
        waits = ours[name]["depends_on"]["migrate"]
        assert waits == {"condition": "service_completed_successfully"}
        assert ours[name]["volumes"] == ours["migrate"]["volumes"]


def test_no_secret_has_a_default() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    for name in ("ASSENT_AUDIT_KEY", "ASSENT_DATABASE_PASSWORD", "ASSENT_OWNER_PASSWORD"):
        used = re.findall(rf"\$\{{{name}(.)(.)", text)
        assert used
        assert set(used) == {(":", "?")}


def test_the_run_of_everything_is_a_program_that_bash_can_read() -> None:
    assert RUN.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", RUN]).returncode == 0


def test_what_serves_connects_as_the_role_that_owns_nothing() -> None:
    ours = services()
    for name in ("service", "worker"):
        assert "//assent_service:" in ours[name]["environment"]["ASSENT_DATABASE_URL"]
    assert "//assent:" in ours["migrate"]["environment"]["ASSENT_DATABASE_URL"]
    script = (ROOT / "deploy" / "service-role.sh").read_text(encoding="utf-8")
    assert "NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS" in script
