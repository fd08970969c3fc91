"""`assent demo` refuses to run where its public tokens could do harm."""

import os
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.demonstration.organisations import Seat, seats
from app.demonstration.prices import PACKS, supplier_price
from app.reference_data.drugs import load_drugs
from app.reference_data.organisations import load_organisations


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("ASSENT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ASSENT_DATA_DIR", str(tmp_path))
    # The command switches the mode on for its own process: put it back after the test.
    monkeypatch.setenv("ASSENT_DEMONSTRATION", "true")


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.1", "::", "demo.example"])
def test_it_listens_on_this_machine_only(address: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "--no-serve", "--host", address])

    assert result.exit_code == 2
    assert "this machine only" in result.output
    assert not list(tmp_path.iterdir())


def test_an_address_in_the_environment_counts_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ASSENT_HOST", "0.0.0.0")

    assert CliRunner().invoke(app, ["demo", "--no-serve"]).exit_code == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("word", ["false", "False", "0", "no", "off"])
def test_a_mode_switched_off_by_name_is_respected(
    word: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ASSENT_DEMONSTRATION", word)

    result = CliRunner().invoke(app, ["demo", "--no-serve"])

    assert result.exit_code == 2
    assert "set to off" in result.output
    assert not list(tmp_path.iterdir())


def test_a_port_in_use_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = CliRunner().invoke(app, ["demo", "--port", str(taken.getsockname()[1])])

    assert result.exit_code == 2
    assert "cannot be used" in result.output
    assert not list(tmp_path.iterdir())


def test_tokens_tell_who_they_are_and_are_all_different() -> None:
    tokens = [seat.token for seat in seats()]

    assert len(set(tokens)) == len(tokens)
    assert {"demo-demo1-clinician", "demo-demq2-commissioner", "demo-demp1-panel-member"} <= set(
        tokens
    )


@pytest.mark.parametrize("seat", seats(), ids=lambda seat: seat.token)
def test_every_organisation_is_a_demonstration_one(seat: Seat) -> None:
    found = load_organisations().find(seat.organisation, None)

    assert found is not None
    assert found.demonstration


@pytest.mark.parametrize("key", PACKS)
def test_codes_and_names_are_the_drug_dictionary_s_own(key: str) -> None:
    pack = PACKS[key]
    coded = load_drugs().codes[pack.code]

    assert (coded.drug, coded.term) == (pack.drug, pack.name)
    for product in load_drugs().drug(pack.drug).products:
        if product.key in ("imraldi", "tyruko", "ocaliva", "privigen"):
            assert supplier_price(pack, product.key) > 0
