"""The ways in which every journey is walked."""

from enum import StrEnum
from typing import Any

#: As narrow as WCAG 2.2 (1.4.10, Reflow) asks: 320 CSS pixels.
NARROW = {"width": 320, "height": 640}
WIDE = {"width": 1200, "height": 900}


class Variant(StrEnum):
    """One way of looking and acting."""

    SCRIPTS = "with scripts"
    PLAIN = "without scripts"
    KEYS = "by keyboard alone"
    PHONE = "on a phone"
    PLAIN_PHONE = "on a phone without scripts"

    @classmethod
    def of(cls, *, scripts: bool, phone: bool) -> "Variant":
        """The variant with a mouse or a finger."""
        if phone:
            return cls.PHONE if scripts else cls.PLAIN_PHONE
        return cls.SCRIPTS if scripts else cls.PLAIN

    @property
    def scripts(self) -> bool:
        return self not in (Variant.PLAIN, Variant.PLAIN_PHONE)

    @property
    def looks(self) -> bool:
        """Whether axe looks at its pages. By keyboard the pages are those of a mouse."""
        return self in (Variant.SCRIPTS, Variant.PHONE)

    def context(self) -> dict[str, Any]:
        """What Playwright's browser context takes."""
        phone = self in (Variant.PHONE, Variant.PLAIN_PHONE)
        return {
            "viewport": NARROW if phone else WIDE,
            "is_mobile": phone,
            "has_touch": phone,
            "java_script_enabled": self.scripts,
            "bypass_csp": self.looks,
        }


#: Those in which every journey is walked.
EACH = (Variant.SCRIPTS, Variant.PLAIN, Variant.KEYS, Variant.PHONE)
