"""Spoils good input: a reader meets what is almost right far more often than what is noise."""

import io
import random
import zipfile
from collections.abc import Sequence

TOKENS = (
    *("", "\x00", "\n", "\r\n", "\t", " ", "\u00a0", "\u200b", "\ufeff", "\ud7ff", "\U0001f9ea"),
    *("0", "-1", "1e999", "1e-999", "9" * 41, "٣", "²", "½", "NaN", "Infinity", "null", "true"),
    *("'", '"', '"""', ",", ";", "|", "{", "}", "[", "]", "(", ")", ":", "&a", "*a", "<<", "!!"),
    *("../", "%s", "{0}", "${x}", "=1+1", "<!DOCTYPE x>", "&x;", "--", "/*", "\\", "\\u0000"),
    *("0000-00-00", "9999-12-31", "2024-02-30", "29/02/2023", "31/12/99", "24:00", "NOT ", "AND "),
)
MOST = 60_000  # characters or bytes of one case
CHANGES = (1, 1, 1, 2, 3, 8)


def spoil(draw: random.Random, seeds: Sequence[str], words: Sequence[str] = ()) -> str:
    """One of the seeds after one to eight changes; now and then noise alone."""
    if draw.random() < 0.05:
        return "".join(chr(_character(draw)) for _ in range(draw.randint(0, 80)))
    text = draw.choice(seeds)
    for _ in range(draw.choice(CHANGES)):
        text = _changed(draw, text, seeds, words)[:MOST]
    return text


def _character(draw: random.Random) -> int:
    top = draw.choice((0x7F, 0xFF, 0x7FF, 0xD7FF))
    return draw.randint(0, top)


def _changed(draw: random.Random, text: str, seeds: Sequence[str], words: Sequence[str]) -> str:
    at, to = sorted((draw.randint(0, len(text)), draw.randint(0, len(text))))
    to = min(to, at + draw.choice((1, 3, 12, 400)))
    other = draw.choice(seeds)
    start = draw.randint(0, len(other))
    return text[:at] + draw.choice(
        (
            draw.choice((*TOKENS, *words)),  # instead of a slice
            draw.choice((*TOKENS, *words)) + text[at:to],
            "",
            text[at:to] * draw.choice((2, 3, 50)),
            other[start : start + draw.choice((3, 40, 400))],
            chr(_character(draw)),
            text[at:to][::-1],
            text[at:to].swapcase(),
        )
    ) + text[to:]  # fmt: skip


def spoil_bytes(draw: random.Random, seeds: Sequence[bytes]) -> bytes:
    """As `spoil`, byte by byte: encodings, signatures and lengths break too."""
    data = bytearray(draw.choice(seeds))
    for _ in range(draw.choice(CHANGES)):
        at = draw.randint(0, len(data))
        to = min(len(data), at + draw.choice((1, 1, 4, 64, 1000)))
        other = draw.choice(seeds)
        start = draw.randint(0, len(other))
        data[at:to] = draw.choice(
            (
                bytes(draw.randrange(256) for _ in range(draw.choice((1, 2, 8)))),
                b"",
                bytes(data[at:to]) * 2,
                other[start : start + draw.choice((4, 64))],
                draw.choice((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\x00", b"PK\x03\x04")),
            )
        )
    return bytes(data[:MOST])


def spoil_archive(draw: random.Random, seeds: Sequence[bytes], words: Sequence[str]) -> bytes:
    """A ZIP of XML: its parts are spoilt and packed again, or its bytes are."""
    if draw.random() < 0.3:
        return spoil_bytes(draw, seeds)
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(draw.choice(seeds))) as source,
        zipfile.ZipFile(out, "w", draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as made,
    ):
        for name in source.namelist():
            if draw.random() < 0.05:
                continue
            text = source.read(name).decode()
            if draw.random() < 0.6:
                text = spoil(draw, [text], words)
            made.writestr(name, text.encode("utf-8", "surrogatepass"))
    return out.getvalue()
