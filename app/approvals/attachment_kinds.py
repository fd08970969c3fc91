"""What kind of file an attachment is, by its content alone. Pure.

A name or a browser's word for a file is not relied on. What is attached is never looked into
further: a reader opens it outside this service.
"""

from typing import Final

#: The largest attachment, in bytes.
LARGEST: Final = 5 * 1024 * 1024
PDF, PNG, JPEG = "application/pdf", "image/png", "image/jpeg"
ENDINGS: Final = {PDF: "pdf", PNG: "png", JPEG: "jpeg"}
_PNG_BEGINS: Final = b"\x89PNG\r\n\x1a\n"
_PNG_ENDS: Final = b"IEND\xaeB`\x82"
_JPEG_BEGINS: Final = b"\xff\xd8\xff"
_JPEG_ENDS: Final = b"\xff\xd9"
#: A PDF says within so many of its last bytes where its contents are listed.
_TAIL: Final = 2048


def kind_of(data: bytes) -> str | None:
    """The media type of a whole PDF, PNG or JPEG; None for anything else, or for a part of one."""
    if data.startswith(b"%PDF-") and b"startxref" in data[-_TAIL:] and b"%%EOF" in data[-_TAIL:]:
        return PDF
    if data.startswith(_PNG_BEGINS) and data.endswith(_PNG_ENDS):
        return PNG
    if data.startswith(_JPEG_BEGINS) and data.endswith(_JPEG_ENDS):
        return JPEG
    return None
