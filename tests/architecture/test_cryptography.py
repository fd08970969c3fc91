"""The page of keys and algorithms names every key of the settings and every use in the code."""

import ast
import re
from pathlib import Path

from app.settings import Settings
from tests.architecture.repository import APP, ROOT

PAGE = ROOT / "docs" / "assurance" / "cryptography.md"
ROOMS = {"hmac", "secrets", "ssl", "random", "cryptography", "joserfc", "authlib", "jose", "jwt"}
#: Settings that name a secret, a key or a certificate.
SECRET = re.compile(r"SecretStr|_key_file$|_ca_file$")


def imported(path: Path) -> set[str]:
    """The outermost names of what a module imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def hash_functions(path: Path) -> set[str]:
    """What a module takes from hashlib."""
    tree = ast.parse(path.read_text("utf-8"))
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "hashlib"
    }


def test_every_secret_of_the_settings_is_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    secret = [
        name
        for name, field in Settings.model_fields.items()
        if SECRET.search(f"{field.annotation} {name}")
    ]
    assert len(secret) >= 6
    assert [name for name in secret if f"`ASSENT_{name.upper()}`" not in page] == []


def test_every_module_that_signs_draws_or_compares_is_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    modules = [path for path in sorted(APP.rglob("*.py")) if imported(path) & ROOMS]
    assert len(modules) >= 8
    named = [path.relative_to(ROOT).as_posix() for path in modules]
    assert [name for name in named if f"`{name}`" not in page] == []


def test_no_hash_function_but_sha_256_is_called() -> None:
    called = {name for path in APP.rglob("*.py") for name in hash_functions(path)}
    assert called == {"sha256", "file_digest"}


def test_another_hash_function_would_be_seen(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text("import hashlib\nimport secrets\nhashlib.md5(b'')\n")
    assert hash_functions(planted) == {"md5"}
    assert imported(planted) & ROOMS == {"secrets"}
