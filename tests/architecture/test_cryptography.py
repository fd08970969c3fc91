"""The page of keys and algorithms names every key of the settings and every use in the code."""

import ast
import re
from pathlib import Path

from app.settings import Settings
from tests.architecture.repository import APP, ROOT

PAGE = ROOT / "docs" / "assurance" / "cryptography.md"
ROOMS = {"hmac", "secrets", "ssl", "random", "cryptography", "joserfc", "authlib", "jose", "jwt"}
#: What gives or holds a signature or a secret that somebody may try to meet byte by byte.
SIGNS = {"mac", "sign"}
HOLDS = {"signature", "hmac", "csrf", "secret", "state_hash"}
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


def name_of(node: ast.expr) -> str:
    """What an expression calls, or the name, attribute or key that it takes."""
    if isinstance(node, ast.Call):
        return name_of(node.func)
    if isinstance(node, ast.Subscript):
        return str(node.slice.value) if isinstance(node.slice, ast.Constant) else ""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def compared_openly(path: Path) -> list[int]:
    """Lines on which a signature or a secret is compared with `==` or `!=`."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Compare):
            continue
        sides = [node.left, *node.comparators]
        equal = any(isinstance(each, ast.Eq | ast.NotEq) for each in node.ops)
        signs = any(isinstance(s, ast.Call) and name_of(s) in SIGNS for s in sides)
        holds = any(not isinstance(s, ast.Call) and name_of(s) in HOLDS for s in sides)
        if equal and (signs or holds):
            found.append(node.lineno)
    return found


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


def test_no_signature_and_no_secret_is_compared_but_in_constant_time() -> None:
    found = {path.relative_to(ROOT).as_posix(): compared_openly(path) for path in APP.rglob("*.py")}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_a_signature_compared_otherwise_would_be_seen(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(
        "mac(text, key) == found\nrow['hmac'] != given\nform.csrf == given\n"
        "hmac.compare_digest(mac(text, key), found)\n_digest_of(path) == named\n"
    )
    assert compared_openly(planted) == [1, 2, 3]


def test_no_hash_function_but_sha_256_is_called() -> None:
    called = {name for path in APP.rglob("*.py") for name in hash_functions(path)}
    assert called == {"sha256", "file_digest"}


def test_another_hash_function_would_be_seen(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text("import hashlib\nimport secrets\nhashlib.md5(b'')\n")
    assert hash_functions(planted) == {"md5"}
    assert imported(planted) & ROOMS == {"secrets"}
