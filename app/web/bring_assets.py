"""Brings the NHS design system's style sheet, script and icons into `app/web/static/nhsuk`.

Run at set-up (`python -m app.web.bring_assets`), with npm on the path; the packages are those of
`frontend/package-lock.json`, by their hashes. What we may not use is left out: the Frutiger font,
which needs a licence and would be fetched from another host, and the NHS logo.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
FRONTEND: Final = HERE / "frontend"
STATIC: Final = HERE / "static" / "nhsuk"
ADDRESS: Final = "/assets/nhsuk/"
#: Icons that the style sheet shows; the others carry the logo, or are never asked for.
_ICONS: Final = re.compile(r"url\(/assets/images/([a-z-]+\.svg)\)")
_FONT: Final = re.compile(r"@font-face\{[^}]*\}|(?<=font-family:)Frutiger W01,")
_MAP: Final = re.compile(r"(/\*|//)# sourceMappingURL=\S+( \*/|\*/)?")


def bring() -> None:
    """Install the packages aside, and copy what the pages show. Raises OSError without npm."""
    npm = shutil.which("npm")
    if npm is None:
        raise OSError(
            "npm is not on the path. Install node.js, or run `make` which brings its own."
        )
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(FRONTEND / name, folder)
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run([npm, "ci", *quiet], cwd=folder, check=True)
        copy(Path(folder) / "node_modules" / "nhsuk-frontend" / "dist" / "nhsuk")


def copy(dist: Path) -> None:
    """Copy from the package's folder, leaving out fonts and whatever another host would serve."""
    style = (dist / "nhsuk-frontend.min.css").read_text(encoding="utf-8")
    icons = sorted(set(_ICONS.findall(style)))
    made = {
        "nhsuk-frontend.min.css": _MAP.sub(
            "", _ICONS.sub(rf"url({ADDRESS}\1)", _FONT.sub("", style))
        ),
        "nhsuk-frontend.min.js": _MAP.sub(
            "", (dist / "nhsuk-frontend.min.js").read_text(encoding="utf-8")
        ),
    }
    if re.search(r"https?://(?!www\.w3\.org)", made["nhsuk-frontend.min.css"]):
        raise ValueError(
            "The style sheet still names another host. Look at what has changed in it."
        )
    shutil.rmtree(STATIC, ignore_errors=True)
    STATIC.mkdir(parents=True)
    for name, text in made.items():
        (STATIC / name).write_text(text, encoding="utf-8")
    for icon in icons:
        shutil.copy(dist / "assets" / "images" / icon, STATIC / icon)


if __name__ == "__main__":
    try:
        bring()
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"The pages' style sheet could not be brought: {error}")
