"""Settings are read from the environment, and a service without a safe audit key does not start."""

import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.settings import DEMONSTRATION_AUDIT_KEY, DEMONSTRATION_PSEUDONYM_KEY, Settings

KEY = "k" * 32


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"ASSENT_{name.upper()}", raising=False)


@pytest.mark.parametrize(
    ("key", "demonstration", "why"),
    [
        ("", "false", "has no key"),
        ("k" * 31, "false", "under 32 characters"),
        ("k" * 31, "true", "under 32 characters"),
        (DEMONSTRATION_AUDIT_KEY, "false", "which is public"),
    ],
)
def test_an_unsafe_audit_key_is_refused_with_what_to_do_and_never_printed(
    monkeypatch: pytest.MonkeyPatch, key: str, demonstration: str, why: str
) -> None:
    monkeypatch.setenv("ASSENT_AUDIT_KEY", key)
    monkeypatch.setenv("ASSENT_DEMONSTRATION", demonstration)
    monkeypatch.setenv("ASSENT_DATABASE_URL", "postgresql://u:pass-word@h/d")
    with pytest.raises(ValidationError, match=why) as raised:
        Settings()
    assert "Set ASSENT_AUDIT_KEY" in str(raised.value)
    assert "pass-word" not in str(raised.value)
    assert not key or key not in str(raised.value)


def test_the_demonstration_brings_its_own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSENT_DEMONSTRATION", "true")
    assert Settings().audit_key_bytes() == DEMONSTRATION_AUDIT_KEY.encode()
    monkeypatch.setenv("ASSENT_AUDIT_KEY", KEY)
    assert Settings().audit_key_bytes() == KEY.encode()


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("k" * 31, "under 32 characters"),
        (KEY, "is the audit key"),
        (DEMONSTRATION_PSEUDONYM_KEY, "which is public"),
    ],
)
def test_an_unsafe_pseudonym_key_is_refused_and_never_printed(
    monkeypatch: pytest.MonkeyPatch, key: str, why: str
) -> None:
    monkeypatch.setenv("ASSENT_AUDIT_KEY", KEY)
    monkeypatch.setenv("ASSENT_PSEUDONYM_KEY", key)
    with pytest.raises(ValidationError, match=why) as raised:
        Settings()
    assert key not in str(raised.value)


def test_the_pseudonym_key_may_be_left_out_and_the_demonstration_brings_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ASSENT_AUDIT_KEY", KEY)
    assert Settings().pseudonym_key_bytes() is None
    monkeypatch.setenv("ASSENT_DEMONSTRATION", "true")
    assert Settings().pseudonym_key_bytes() == DEMONSTRATION_PSEUDONYM_KEY.encode()


def test_the_default_is_sqlite_in_the_data_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ASSENT_AUDIT_KEY", KEY)
    monkeypatch.setenv("ASSENT_DATA_DIR", str(tmp_path))
    settings = Settings()
    assert settings.database_url == f"sqlite:///{tmp_path}/assent.db"
    assert settings.policies_dir.name == "policies"
    assert (settings.max_body_bytes, settings.max_upload_bytes) == (10_485_760, 67_108_864)
    monkeypatch.setenv("ASSENT_DATABASE_URL", "postgresql://u:pass-word@h/d")
    assert Settings().database_url == "postgresql://u:pass-word@h/d"
    assert "pass-word" not in repr(Settings())
    assert KEY not in repr(Settings())


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "65536"), ("MAX_BODY_BYTES", "0"), ("LOG_LEVEL", "loud"), ("DEMONSTRATION", "maybe")],
)
def test_a_setting_that_makes_no_sense_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("ASSENT_AUDIT_KEY", KEY)
    monkeypatch.setenv(f"ASSENT_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


SAFE = {"demonstration": True, "demonstration_sign_in": True}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"demonstration": False, "audit_key": KEY, "pseudonym_key": KEY[::-1] + "x"}, "mode only"),
        ({"host": "0.0.0.0"}, "this machine only"),
        ({"host": "192.0.2.1"}, "this machine only"),
        ({"public_url": "https://assent.example"}, "this machine only"),
    ],
)
def test_demonstration_sign_in_is_refused_where_anybody_else_could_reach_it(
    changes: dict[str, Any], why: str
) -> None:
    assert Settings(**SAFE).demonstration_sign_in
    with pytest.raises(ValidationError, match=why):
        Settings(**SAFE | changes)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"oidc_client_id": ""}, "ASSENT_OIDC_CLIENT_ID"),
        ({"oidc_issuer": "http://id.example"}, "ASSENT_OIDC_ISSUER must begin with https"),
        ({"public_url": "http://assent.example"}, "ASSENT_PUBLIC_URL must begin with https"),
    ],
)
def test_people_sign_in_over_https_only(changes: dict[str, Any], why: str) -> None:
    whole = {
        "demonstration": True,
        "oidc_issuer": "https://id.example",
        "oidc_client_id": "assent",
        "public_url": "https://assent.example",
    }
    assert Settings(**whole).address("/sign-in") == "https://assent.example/sign-in"
    with pytest.raises(ValidationError, match=why):
        Settings(**whole | changes)


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4318", "ftp://h/v1/traces", "http://"])
def test_what_is_no_address_of_a_collector_is_refused(
    monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("ASSENT_AUDIT_KEY", KEY)
    monkeypatch.setenv("ASSENT_OTLP_ENDPOINT", endpoint)
    with pytest.raises(ValidationError, match="no address of a collector"):
        Settings()


def test_traces_without_their_extra_are_refused_with_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ASSENT_AUDIT_KEY", KEY)
    monkeypatch.setenv("ASSENT_OTLP_ENDPOINT", "http://127.0.0.1:4318/v1/traces")
    assert Settings().otlp_endpoint

    monkeypatch.setitem(sys.modules, "opentelemetry.exporter", None)  # as if it were not installed
    for name in [each for each in sys.modules if each.startswith("opentelemetry.exporter.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ValidationError, match=r"pip install 'assent\[telemetry\]'"):
        Settings()


def test_spark_is_asked_for_by_name_and_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSENT_AUDIT_KEY", KEY)
    monkeypatch.setenv("ASSENT_RECONCILIATION_ENGINE", "spark")
    monkeypatch.setattr("app.settings.find_spec", lambda name: name)
    for master in ("local[4]", "local[*]", "spark://cluster.nhs.uk:7077"):
        monkeypatch.setenv("ASSENT_SPARK_MASTER", master)
        assert Settings().spark_master == master
    for wrong in ("local", "spark://cluster", "yarn", "spark://a b:7077"):
        monkeypatch.setenv("ASSENT_SPARK_MASTER", wrong)
        with pytest.raises(ValidationError, match="spark_master"):
            Settings()
    monkeypatch.delenv("ASSENT_SPARK_MASTER")
    monkeypatch.setattr("app.settings.find_spec", lambda name: None)
    with pytest.raises(ValidationError, match="extra `spark`"):
        Settings()
