"""What the doors hand to the rooms beside a database: the library, the dictionary, the files."""

from app.approvals.library_files import load_library
from app.approvals.office import Office
from app.reconciliation.engines.choice import Choice, Engine
from app.reconciliation.files import FileStore
from app.reconciliation.service import Desk
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations
from app.reference_data.pseudonyms import Pseudonyms
from app.settings import Settings


def make_office(settings: Settings) -> Office:
    """The library and the mode. Raises PolicyFileFaults, with every fault of every file."""
    library = load_library(settings.policies_dir, load_drugs().keys(), trusting_lock=True)
    return Office(library, settings.demonstration, Pseudonyms(settings.pseudonym_key_bytes()))


def make_desk(settings: Settings, office: Office | None = None) -> Desk:
    """What reconciliation needs beside the database."""
    return Desk(
        office=office or make_office(settings),
        dictionary=load_drugs(),
        organisations=load_organisations(),
        files=FileStore(settings.data_dir.resolve() / "files"),
        matching=Choice(
            Engine(settings.reconciliation_engine),
            settings.reconciliation_memory,
            settings.data_dir.resolve() / "spill",
            settings.spark_master,
            settings.spark_folder,
            settings.reconciliation_most_lines,
        ),
    )
