"""Which edition of the reference data is in use: a digest over every packaged data file."""

import functools
import hashlib
from importlib import resources


@functools.cache
def reference_version() -> str:
    """The SHA-256 over the names and contents of the data files, as hex."""
    digest = hashlib.sha256()
    folder = resources.files("app.reference_data") / "data"
    for path in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
