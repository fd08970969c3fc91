"""Checks a policy file's shape against the published JSON Schema, in plain words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

import jsonschema_rs
from jsonschema import Draft202012Validator, FormatChecker, ValidationError, validators

from app.policy.document import Document, Path
from app.policy.errors import Fault
from app.policy.suggestions import did_you_mean, printable

_TYPES = {
    "object": "a mapping (key: value)",
    "array": "a list (- item)",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


@lru_cache(maxsize=4)
def _schema_text(name: str) -> str:
    return resources.files("app.policy").joinpath(f"{name}.json").read_text(encoding="utf-8")


def json_schema() -> dict[str, Any]:
    """The published JSON Schema of a policy file; a fresh copy each time."""
    schema: dict[str, Any] = json.loads(_schema_text("schema"))
    return schema


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[Any]:
    """JSON Schema's `pattern`: its `$` is the very end, where Python's allows a last newline."""
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield ValidationError("does not match its pattern")


_extend: Any = validators.extend
_EXACT: Any = _extend(Draft202012Validator, {"pattern": _pattern})


Shape = Literal["policy", "formula", "questions", "overlay", "notice"]


@lru_cache(maxsize=5)
def _schema_of(shape: Shape) -> dict[str, Any]:
    """The schema of a file once its shared parts are resolved: they stand there in full."""
    schema = json_schema()
    schema["properties"]["questions"]["additionalProperties"] = {"$ref": "#/$defs/question"}
    del schema["properties"]["shared"]
    derived = schema["$defs"]["derived"]["properties"]
    derived["formula"] = {"$ref": "#/$defs/formula"}
    del derived["version"]
    if shape == "policy":
        return schema
    if shape in ("overlay", "notice"):
        return _with_parts(json.loads(_schema_text(f"{shape}_schema")), schema)
    name = "formula" if shape == "formula" else "shared_questions"
    return {"$schema": schema["$schema"], "$ref": f"#/$defs/{name}", "$defs": schema["$defs"]}


def _with_parts(own: dict[str, Any], policy: dict[str, Any]) -> dict[str, Any]:
    """A schema that uses the parts of the policy file's."""
    parts = {part: policy["properties"][part] for part in ("sources", "new_starts")}
    lasts = policy["$defs"]["approval"]["properties"]["lasts"]
    own["$defs"] = {**policy["$defs"], **parts, "lasts": {**lasts, "type": "object"}}
    return own


@lru_cache(maxsize=5)
def _validator(shape: Shape) -> Any:
    return _EXACT(_schema_of(shape), format_checker=FormatChecker(["date"]))


@lru_cache(maxsize=5)
def _quick(shape: Shape) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(_schema_of(shape), validate_formats=True)


def shape_faults(
    document: Document, file: str, shape: Shape = "policy"
) -> list[tuple[Path, Fault]]:
    """Every fault of the file's shape, each with the path it stands at.

    A policy's shared parts must have been resolved (`resolve`).
    """
    if _quick(shape).is_valid(document.data):
        return []  # the quick validator only says yes or no; what is wrong takes the other one
    found: dict[tuple[Path, str], Fault] = {}
    for error in _validator(shape).iter_errors(document.data):
        for path, code, message, mend in _described(error):
            place = criterion_at(document.data, path)
            fault = Fault(file, document.line(path), place, code, message, mend)
            found.setdefault((path, code), fault)
    return [(path, fault) for (path, _), fault in found.items()]


def criterion_at(data: Any, path: Path) -> str | None:
    """The id of the criterion that a path lies in, if any."""
    if len(path) < 2 or path[0] not in ("start", "continue", "stop"):
        return None
    try:
        name = data[path[0]][path[1]]["id"]
    except (KeyError, IndexError, TypeError):
        return None
    return name[:60] if isinstance(name, str) else None


def _described(error: Any) -> Iterator[tuple[Path, str, str, str]]:
    path: Path = tuple(error.absolute_path)
    where = _where(path)
    schema = error.schema if isinstance(error.schema, dict) else {}
    if "propertyNames" in error.absolute_schema_path:
        key = str(error.instance)
        yield (*path, key), "key", f"{where} has a key in the wrong form", _mend(schema)
        return
    match error.validator:
        case "required":
            for name in error.validator_value:
                if name not in error.instance:
                    yield path, f"missing-{name}", f"{where} has no `{name}`", f"Add `{name}:`"
        case "additionalProperties":
            known = schema.get("properties", {})
            for name in error.instance:
                if name not in known:
                    yield (
                        (*path, name),
                        "unknown-key",
                        f"{where} has an unknown key {printable(name)}",
                        did_you_mean(name, known),
                    )
        case "enum" | "const":
            choices = (
                error.validator_value if error.validator == "enum" else [error.validator_value]
            )
            mend = did_you_mean(str(error.instance), [str(choice) for choice in choices])
            yield path, "value", f"{where} is not one of the values allowed", mend
        case "type":
            yield path, "type", *_wrong_type(where, error)
        case None:
            yield path, "does-not-apply", f"{where} does not apply here", "Take it out"
        case _:
            yield path, "value", *_wrong_value(where, error, schema)


def _wrong_type(where: str, error: Any) -> tuple[str, str]:
    wanted = error.validator_value
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    text = " or ".join(_TYPES[name] for name in names)
    if error.instance is None:
        mend = "Fill it in"
    elif "string" in names and isinstance(error.instance, int | Decimal):
        mend = "Put the value in quotation marks"
    elif "boolean" in names:
        mend = "Write true or false, without quotation marks"
    else:
        mend = f"Write {text}"
    return f"{where} should be {text}", mend


def _wrong_value(where: str, error: Any, schema: dict[str, Any]) -> tuple[str, str]:
    limit = error.validator_value
    plain = {
        "maxLength": (f"{where} is over {limit} characters", "Shorten it"),
        "minItems": (f"{where} needs at least {limit} entries", "Add one"),
        "maxItems": (f"{where} has over {limit} entries", "Shorten the list"),
        "uniqueItems": (f"{where} names one thing twice", "Take the repeat out"),
        "minProperties": (f"{where} needs at least {limit} entries", "Add one"),
        "maxProperties": (f"{where} has over {limit} entries", "Take some out"),
        "minimum": (f"{where} is below {limit}", f"Write {limit} or more"),
        "maximum": (f"{where} is above {limit}", f"Write {limit} or less"),
        "not": (f"{where} has a value that is not allowed here", "A list cannot hold lists"),
    }
    return plain.get(str(error.validator), (f"{where} is not in the right form", _mend(schema)))


def _mend(schema: dict[str, Any]) -> str:
    if "description" in schema:
        return str(schema["description"])
    if schema.get("pattern") == "\\S":
        return "Write some words"
    return f"It must match {schema.get('pattern', 'the published schema')}"


def _where(path: Path) -> str:
    if not path:
        return "the file"
    steps = [f"[{step + 1}]" if isinstance(step, int) else f".{printable(step)}" for step in path]
    return "".join(steps).removeprefix(".")
