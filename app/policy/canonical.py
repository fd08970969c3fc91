"""The one spelling of a policy version's data that is stored and hashed."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

_ORDER_MATTERS = frozenset({"questions", "derive", "sources", "options", "of", "reasons"})


def canonical_json(data: Any, under: str = "") -> str:
    """JSON text of plain data: keys sorted except where order is shown to people, nulls left out.

    Decimals are written digit for digit, so reading them back as Decimal loses nothing.
    """
    if isinstance(data, str):
        return encode_basestring(data)  # what json.dumps does in the end, several times sooner
    if isinstance(data, dict):
        kept = [key for key, value in data.items() if value is not None]
        ordered = kept if under in _ORDER_MATTERS else sorted(kept)
        inside = (f"{encode_basestring(key)}:{canonical_json(data[key], key)}" for key in ordered)
        return "{" + ",".join(inside) + "}"
    if isinstance(data, list):
        return "[" + ",".join(canonical_json(item) for item in data) + "]"
    if isinstance(data, Decimal):
        return format(data, "f")
    return json.dumps(data, ensure_ascii=False)


def sha256(text: str) -> str:
    """The SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
