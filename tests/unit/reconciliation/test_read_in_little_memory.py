"""A large file is read without being held: peak memory does not grow with the file."""

import subprocess
import sys
from pathlib import Path

from tests.unit.reconciliation.builders import CLEAN, csv_bytes

#: The peak of this program alone: `ru_maxrss` begins with that of whoever started it.
_PEAK = """
def peak():
    told = Path("/proc/self/status").read_text()
    return int(told.split("VmHWM:")[1].split()[0]) // 1024
"""
_READ = """
import sys
from pathlib import Path
from app.reconciliation.read_columns import read_columns
from app.reconciliation.source import on_disk
folder = Path(sys.argv[1])
with (folder / "rows.parquet").open("wb") as out:
    facts = read_columns(on_disk(folder / "lines.csv"), "lines.csv", out, scratch=folder)
print(facts.lines, peak())
"""
_HELD = """
import sys
from pathlib import Path
from app.reconciliation import read_submission
read = read_submission((Path(sys.argv[1]) / "lines.csv").read_bytes(), "lines.csv")
print(len(read.lines), peak())
"""
#: Buffers are full long before the smaller number.
FEW, MANY = 100_000, 200_000
#: A line that is held takes 2 kB and more.
LEAST_OF_HELD = (MANY - FEW) >> 10  # megabytes, at 1 kB a line


def peak(folder: Path, program: str, lines: int) -> int:
    """Megabytes that a process of its own takes at its peak for so many lines."""
    header, row = csv_bytes([CLEAN]).split(b"\r\n")[:2]
    with (folder / "lines.csv").open("wb") as out:
        out.write(header + b"\r\n")
        for number in range(lines):
            out.write(row.replace(b"L001", b"L%07d" % number) + b"\r\n")
    command = [sys.executable, "-c", f"from pathlib import Path\n{_PEAK}{program}", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    read, megabytes = map(int, done.stdout.split())
    assert read == lines
    return megabytes


def test_more_lines_take_no_more_memory(tmp_path: Path) -> None:
    few, many = peak(tmp_path, _READ, FEW), peak(tmp_path, _READ, MANY)
    assert many - few < LEAST_OF_HELD, f"{few} MB for {FEW:,} lines, {many} MB for {MANY:,}"
    left = {each.name for each in tmp_path.iterdir()}
    assert left == {"lines.csv", "rows.parquet"}


def test_lines_that_are_held_would_be_noticed(tmp_path: Path) -> None:
    """The same measure, of the intake that holds every line."""
    assert peak(tmp_path, _HELD, MANY) - peak(tmp_path, _HELD, FEW) > LEAST_OF_HELD
