"""What the library's pages keep for the life of a process: the catalogue and the worked cases."""

from dataclasses import dataclass
from pathlib import Path

from fastapi import Request

from app.approvals.library_files import load_shelf
from app.authoring.files import as_yaml
from app.policy import PolicyVersion, Shelf
from app.policy.on_demand import Once
from app.reference_data.drugs import DrugDictionary
from app.web.library.catalogue import Catalogue
from app.web.library.worked import WorkedCases


@dataclass(frozen=True, slots=True)
class ReadingRoom:
    """The catalogue of the library, and the worked cases of its packaged policies."""

    folder: Path
    catalogue: Catalogue
    cases: WorkedCases
    shelf: Once[Shelf]

    def source_of(self, version: PolicyVersion) -> str:
        """The text that a version was written as; what was published is told as its data."""
        area = self.catalogue.area(version.policy)
        path = self.folder / area / version.policy / f"{version.version}.yaml"
        if path.is_file():
            return path.read_text(encoding="utf-8")
        return as_yaml(version.resolved)


def make_room(folder: Path, drugs: DrugDictionary) -> ReadingRoom:
    """The reading room of a library folder. Nothing is read yet but the folders' names."""
    shelf = Once(lambda: load_shelf(folder))
    return ReadingRoom(folder, Catalogue(folder, drugs), WorkedCases(folder), shelf)


def room_of(request: Request) -> ReadingRoom:
    """The application's reading room."""
    room = request.app.state.reading_room
    assert isinstance(room, ReadingRoom)
    return room
