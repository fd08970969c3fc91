"""What `docs/assurance/` says of the code as a whole, held against the code."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.auth.own_sessions import PROOF_HOLDS
from app.auth.sessions import SIGN_IN_LIFE
from app.settings import Settings
from tests.architecture.repository import APP, ROOT, imported, modules

DOCS = ROOT / "docs"
SIGN_IN = DOCS / "assurance" / "sign-in.md"
#: Functions of `re` that take a pattern.
PATTERNS = {
    "compile",
    "search",
    "match",
    "fullmatch",
    "sub",
    "subn",
    "split",
    "findall",
    "finditer",
}
#: What makes a pattern out of more than constants and escaped text, and of what.
OF_MORE = {
    "app.api.veil": "what a patient is known by: each escaped, or of digits and names of months",
    "app.policy.schema_check": "the patterns of the schema of policies, which is packaged",
    "app.reconciliation.challenge_text": "patterns that the module itself names",
    "app.reconciliation.engines.in_sql": "names of the engine's own tables",
}
#: What fills in a text that is not a constant in capitals, and where that text comes from.
FILLED = {
    "app.api.validation": "WORDS, by the kind of the fault",
    "app.authoring.blocks": "a literal, by the kind of the span",
    "app.demonstration.dirt": "a constant of invented references",
    "app.reconciliation.engines.large_words": "a literal with a table's name left open",
    "app.reconciliation.linkage.comparing": "BLOCKS",
    "app.reconciliation.linkage.directly": "BLOCKS",
    "app.reconciliation.linkage.limited": "BLOCKS",
    "app.web.form.same_day": "one of two constants",
}
#: What opens a connection to another machine, and whom each room of ours speaks with by it.
NETWORK = re.compile(
    r"^(httpx|httpx2|requests|urllib3|aiohttp|socket|smtplib|ftplib|imaplib|poplib|telnetlib|ssl|"
    r"asyncio|urllib\.request|http\.client|xmlrpc|authlib\.integrations|opentelemetry\.exporter|"
    r"pyspark|psycopg|grpc|paramiko)\b"
)
SPEAKS = {
    "app.api.jwks": "key sets of systems",
    "app.api.scanning": "the malware scanner",
    "app.reminders.smtp": "the mail server",
    "app.telemetry": "a collector of traces",
    "app.web.provider": "the sign-in provider",
}


def is_fixed(node: ast.expr) -> bool:
    """Whether a text is made of literals, constants in capitals and escaped text alone."""
    match node:
        case ast.Constant():
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.lstrip("_").isupper()
        case ast.Subscript(value=value) | ast.FormattedValue(value=value):
            return is_fixed(value)
        case ast.JoinedStr(values=parts):
            return all(is_fixed(part) for part in parts)
        case ast.BinOp(left=left, right=right):
            return is_fixed(left) and is_fixed(right)
        case ast.Call(func=ast.Attribute(attr="escape")):
            return True
        case ast.Call(func=ast.Attribute(attr="join"), args=[joined]):
            return is_fixed(joined)
    return False


def calls(tree: ast.AST) -> Iterator[tuple[ast.Attribute, ast.Call]]:
    """Every call of a method or of a module's function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func, node


def patterns_of_more(tree: ast.AST) -> bool:
    """Whether a pattern is made of a text that may be anybody's."""
    return any(
        isinstance(function.value, ast.Name)
        and function.value.id == "re"
        and function.attr in PATTERNS
        and not is_fixed(call.args[0])
        for function, call in calls(tree)
    )


def fills_in(tree: ast.AST) -> bool:
    """Whether a text that is no constant is filled in as a format."""
    return any(
        function.attr in {"format", "format_map"} and not is_fixed(function.value)
        for function, _ in calls(tree)
    )


def test_no_pattern_is_made_of_data_that_is_not_escaped() -> None:
    assert {name for name, tree in modules("app") if patterns_of_more(tree)} == set(OF_MORE)


def test_no_format_string_is_data() -> None:
    assert {name for name, tree in modules("app") if fills_in(tree)} == set(FILLED)


@pytest.mark.parametrize(
    ("text", "pattern", "fills"),
    [
        ("re.search(typed, text)", True, False),
        ("re.compile(rf'{_BEGINS}{typed}')", True, False),
        ("re.compile(rf'{_BEGINS}{re.escape(typed)}|x')", False, False),
        ("typed.format(secret=1)", False, True),
        ("_WORDS['a'].format(day=1)", False, False),
    ],
)
def test_a_planted_one_would_be_seen(text: str, pattern: bool, fills: bool) -> None:
    assert (patterns_of_more(ast.parse(text)), fills_in(ast.parse(text))) == (pattern, fills)


def test_whoever_opens_a_connection_to_another_machine_is_in_the_threat_model() -> None:
    page = (DOCS / "assurance" / "threat-model.md").read_text("utf-8")
    rows = page.partition("## With whom it speaks")[2].partition("\n## ")[0]
    assert [named for named in SPEAKS.values() if f"\n| {named} |" not in rows] == []
    speaks = {
        name for name, tree in modules("app") if any(NETWORK.match(each) for each in imported(tree))
    }
    # The database's own rooms; a port that is tried before the demonstration listens; and Spark.
    ours = {
        name
        for name in speaks
        if name.startswith(("app.db.", "app.backup.", "app.reconciliation.engines."))
    }
    assert speaks - ours - {"app.commands.demo"} == set(SPEAKS)


# --- limits -------------------------------------------------------------------------------------


def limits() -> dict[str, tuple[Any, Any, Any]]:
    """What each setting that is a number is by itself, at least and at most."""
    found = {}
    for name, field in Settings.model_fields.items():
        bounds = {
            key: value
            for rule in field.metadata
            for key in ("ge", "gt", "le")
            if (value := getattr(rule, key, None)) is not None
        }
        if bounds and not name.endswith("port"):
            least = bounds.get("ge", bounds.get("gt", -1) + 1)
            found[f"ASSENT_{name.upper()}"] = (field.default, least, bounds.get("le"))
    return found


def _or_dash(value: object) -> object:
    return "–" if value is None else value


def test_every_limit_is_described_with_what_it_is_and_may_be() -> None:
    page = (DOCS / "operations.md").read_text("utf-8")
    assert len(limits()) >= 15
    missing = [
        row
        for name, (default, least, most) in limits().items()
        if (row := f"| `{name}` | {_or_dash(default)} | {least} | {_or_dash(most)} | ") not in page
    ]
    assert missing == [], "docs/operations.md, Limits"


def test_the_limits_of_signing_in_are_as_the_page_says() -> None:
    page = SIGN_IN.read_text("utf-8")
    set_to = Settings.model_fields
    idle, hours = set_to["session_idle_minutes"].default, set_to["session_hours"].default
    steps = set_to["requests_per_minute_of_people"].default
    minutes = SIGN_IN_LIFE.total_seconds() / 60
    for said in (
        f"| `ASSENT_SESSION_IDLE_MINUTES`, {idle} |",
        f"| `ASSENT_SESSION_HOURS`, {hours} |",
        f"{limits()['ASSENT_SESSION_HOURS'][2]} is the most that is taken",
        f"until the session's limit, {hours} hours at most",
        f"| a sign-in under way | {minutes:.0f} minutes |",
        f"a sign-in of the last {PROOF_HOLDS.total_seconds() / 60:.0f} minutes",
        f"`ASSENT_REQUESTS_PER_MINUTE_OF_PEOPLE` steps in a minute, {steps} unless set",
    ):
        assert said in page, said


# --- what runs in a browser, and where logs go --------------------------------------------------

OWN = APP / "web" / "static" / "own"
SCRIPTS = {"start.js", "pages.js", "follow.js", "upload.js"}
#: Tags of techniques that browsers have given up, or that run what is not ours.
OUTDATED = re.compile(
    r"<(applet|object|embed|frame|frameset|iframe|marquee|blink|keygen|isindex|bgsound)\b|"
    r"\bxlink:href|javascript:|\bactivex",
    re.IGNORECASE,
)
#: A value kept under a name that is worked out, or taken over whole from another object.
UNDER_ANY_NAME = re.compile(
    r"\w\[[^\]]+\]\s*(?:[-+*/|&?]{0,2}=)(?!=)|Object\.assign|__proto__|\.prototype\s*[.\[=]|"
    r"JSON\.parse|\.\.\.\w+\s*}"
)


def test_pages_are_html_styles_and_four_scripts_and_nothing_outdated() -> None:
    assert {path.name for path in OWN.glob("*.js")} == SCRIPTS
    for path in sorted((APP / "web" / "templates").rglob("*.html")):
        text = path.read_text("utf-8")
        assert OUTDATED.search(text) is None, path.name
        sources = re.findall(r"<script\b([^>]*)>", text)
        named = [re.search(r'src="/assets/([\w.]+)"', each) for each in sources]
        assert {each and each[1] for each in named} <= SCRIPTS, path.name


def test_no_script_of_ours_keeps_a_value_under_a_name_that_somebody_gave() -> None:
    found = {
        path.name: UNDER_ANY_NAME.findall(path.read_text("utf-8")) for path in OWN.glob("*.js")
    }
    assert {name: faults for name, faults in found.items() if faults} == {}
    for planted in ("kept[name] = value", "Object.assign(a, b)", "x = {...given}"):
        assert UNDER_ANY_NAME.search(planted), planted


def test_only_one_module_says_where_logs_go() -> None:
    """Elsewhere a logger is asked for and a level named, no more."""
    allowed = {"getLogger", "INFO", "WARNING", "ERROR"}
    found = {
        name
        for name, tree in modules("app")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (
            (node.value.id == "logging" and node.attr not in allowed)
            or (node.value.id == "sys" and node.attr in {"stderr", "stdout"})
            or (node.value.id == "structlog" and node.attr == "configure")
        )
    }
    assert found == {"app.logs"}


def test_log_lines_go_to_stderr_and_nowhere_else(tmp_path: Path) -> None:
    lines = (
        "import logging, structlog\nfrom app.logs import configure_logs\nconfigure_logs('info')\n"
        "structlog.get_logger().info('of ours')\nlogging.getLogger('x').warning('of a library')\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", lines],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == ""
    assert "of ours" in told.stderr
    assert "of a library" in told.stderr
    assert list(tmp_path.iterdir()) == []
