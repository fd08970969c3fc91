"""The service's settings, read once from the environment (prefix ASSENT_) at the doors."""

import datetime as dt
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

REPOSITORY = Path(__file__).resolve().parent.parent
MEBIBYTE = 1024 * 1024
#: Signs the demonstration's audit rows. It is printed here, so it proves nothing to anybody.
DEMONSTRATION_AUDIT_KEY = "assent-demonstration-audit-key-which-is-no-secret"
#: Makes the demonstration's pseudonyms; public as well.
DEMONSTRATION_PSEUDONYM_KEY = "assent-demonstration-pseudonym-key-which-is-no-secret"
#: The demonstration's commissioners, whose authors publish for everybody there.
DEMONSTRATION_PUBLISHERS = ("DEMQ1", "DEMQ2")
SHORTEST_KEY = 32  # characters; HMAC-SHA256 is as strong as a key of 32 bytes
#: Addresses that only this machine reaches.
_ACR: Final = re.compile(r"[A-Za-z0-9._:/-]{1,100}")
_ADDRESS: Final = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,190}")
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class RoleMeaning(BaseModel):
    """Which of our roles a national role code means, and from and to which day it does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(min_length=1)
    role: str
    from_day: dt.date
    to_day: dt.date | None = None


class Settings(BaseSettings):
    """Everything an operator can set. Raises pydantic's ValidationError naming each fault."""

    # Errors must not print the input: it holds the audit key and the database password.
    model_config = SettingsConfigDict(env_prefix="ASSENT_", frozen=True, hide_input_in_errors=True)

    data_dir: Path = Path("var")
    database_url: str = Field(default="", repr=False)  # may hold a password
    policies_dir: Path = REPOSITORY / "policies"
    demonstration: bool = False
    audit_key: SecretStr = SecretStr("")
    #: Keys that signed rows before `audit_key` did, as a JSON list; they still prove those rows.
    audit_keys_retired: tuple[SecretStr, ...] = ()
    #: From it come the pseudonyms that commissioners see. Without it they see none, and files that
    #: carry pseudonyms are refused. Changing it changes every pseudonym.
    pseudonym_key: SecretStr = SecretStr("")
    #: Where signed checkpoints of the audit log go: best on a disk that the database's owner
    #: cannot write to. Without it they go below the data folder.
    checkpoints_dir: Path | None = None
    seal_every_seconds: int = Field(default=60, ge=1, le=86_400)
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    #: How long a write's answer is kept for a repeat of it. Then its text is erased, its key not.
    answers_kept_days: int = Field(default=30, ge=1, le=3_650)
    #: For how many years after the last that happened a person's record and submissions' files are
    #: kept; then the worker erases them, and who it was. By default they are kept. NHS England's
    #: Records Management Code of Practice keeps an adult's record 8 years at least, many longer.
    records_kept_years: int | None = Field(default=None, ge=8, le=100)
    max_body_bytes: int = Field(default=10 * MEBIBYTE, gt=0)
    max_upload_bytes: int = Field(default=64 * MEBIBYTE, gt=0)
    #: The malware scanner that attachments go through: clamd, at `unix:/path` or
    #: `tcp://127.0.0.1:3310`. Then none is kept that it recognises, nor any while it is silent.
    scanner: str = ""
    #: Where the outside world reaches the service: what tokens and sign-in are meant for.
    public_url: str = "http://127.0.0.1:8000"
    #: Addresses, as a JSON list, of proxies whose X-Forwarded-For says who calls; by default none.
    #: Limits of tokens and sign-ins go by the caller's address.
    trusted_proxies: tuple[str, ...] = ()
    #: Whether callers with a long-lived token of `assent callers add` may call, outside
    #: demonstration mode. Systems should sign in with a signed token of their own instead.
    registered_tokens: bool = False
    #: What matches submissions with approvals: all give the same, line for line. DuckDB, or each
    #: process of Spark, may take this much memory and spills beyond it, below the data folder.
    reconciliation_engine: Literal["plain", "duckdb", "spark"] = "plain"
    #: Submissions of more lines are not held in memory: DuckDB takes them from file to file, unless
    #: Spark is set. A line takes about 4 kB in memory.
    reconciliation_most_lines: int = Field(default=200_000, ge=0)
    reconciliation_memory: str = Field(default="2GB", pattern=r"^[1-9][0-9]*(MB|GB)$")
    #: Where Spark runs: in a process here with N threads, `local[N]`, or on a cluster. Needs the
    #: extra `spark`, and Java.
    spark_master: str = Field(
        default="local[2]", pattern=r"^(local\[([1-9][0-9]*|\*)\]|spark://[^\s/:]+:[0-9]+)$"
    )
    #: Where Spark's tables lie during a run: a folder that every machine of its cluster reaches
    #: under the same path, as the same user. Without it, below the data folder.
    spark_folder: Path | None = None
    #: The organisations whose policy authors may publish policy versions in the browser, as a JSON
    #: list. A version holds for everybody, and refers where it is not adopted; an overlay is
    #: published by its own commissioner's authors.
    policy_publishers: tuple[str, ...] = ()
    #: For how many days after its signature a form on paper may be entered; 0: never.
    back_entry_days: int = Field(default=7, ge=0, le=366)
    requests_per_minute: int = Field(default=600, ge=1)
    #: How many pages and forms a signed-in person may ask for in a minute, over all their browsers:
    #: ten a second, which nobody reads; a page that follows a job asks once a second.
    requests_per_minute_of_people: int = Field(default=600, ge=10)
    #: For how many minutes one break-glass declaration opens a patient's record, and how many
    #: declarations one caller may make in an hour.
    break_glass_minutes: int = Field(default=240, ge=5, le=1_440)
    break_glass_per_hour: int = Field(default=10, ge=1, le=1_000)
    #: How many patients who are not known by NHS number and birth date a person may name in an
    #: hour, when asking after other providers' approvals; and a system that is tied to no person.
    guesses_per_hour: int = Field(default=30, ge=1, le=10_000)
    guesses_per_hour_of_systems: int = Field(default=600, ge=1, le=100_000)
    #: Where `assent worker` shows its metrics, on `host`; 0: nowhere.
    worker_metrics_port: int = Field(default=0, ge=0, le=65535)
    #: Where people sign in (OpenID Connect). Without an issuer, nobody can.
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_client_auth: Literal["client_secret_basic", "client_secret_post", "private_key_jwt"] = (
        "client_secret_basic"
    )
    #: With private_key_jwt: our private RSA key, a PEM file that only the service may read, and the
    #: id under which the provider knows its public half.
    oidc_client_key_file: Path | None = None
    oidc_client_key_id: str = ""
    #: Which strengths of a sign-in (`acr`) are taken, as a JSON list in the provider's own words:
    #: they are asked for, and whoever's ID token says another, or none, is not let in. Without it
    #: the provider alone decides how people sign in.
    oidc_acr: tuple[str, ...] = ()
    oidc_scopes: str = "openid profile nationalrbacaccess"
    #: What the provider's role codes mean here, as a JSON list. None is built in.
    national_roles: tuple[RoleMeaning, ...] = ()
    #: The mail server that reminders go through; without one, none go out. `starttls` and `tls`
    #: take no server whose certificate is not trusted; `none` is for this machine only.
    smtp_host: str = ""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str = Field(default="", repr=False)
    smtp_password: SecretStr = SecretStr("")
    #: Certificates, in PEM, to trust in place of the system's.
    smtp_ca_file: Path | None = None
    #: Whom reminders come from, and the domains, as a JSON list, that they may go to.
    mail_from: str = ""
    mail_domains: tuple[str, ...] = ()
    session_idle_minutes: int = Field(default=30, ge=1, le=24 * 60)
    session_hours: int = Field(default=12, ge=1, le=24)
    #: Sign in as an invented person, without a password. Demonstration mode on loopback only.
    demonstration_sign_in: bool = False
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    #: The whole address that traces go to by OTLP, such as http://127.0.0.1:4318/v1/traces; by
    #: default none are made. Needs the extra `telemetry`.
    otlp_endpoint: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.database_url:
            path = self.data_dir.resolve() / "assent.db"
            object.__setattr__(self, "database_url", f"sqlite:///{path}")
        if self.demonstration and not self.audit_key.get_secret_value():
            object.__setattr__(self, "audit_key", SecretStr(DEMONSTRATION_AUDIT_KEY))
        if self.demonstration and not self.pseudonym_key.get_secret_value():
            object.__setattr__(self, "pseudonym_key", SecretStr(DEMONSTRATION_PSEUDONYM_KEY))
        if self.demonstration and not self.policy_publishers:
            object.__setattr__(self, "policy_publishers", DEMONSTRATION_PUBLISHERS)
        self._check_audit_key()
        self._check_pseudonym_key()
        self._check_demonstration_sign_in()
        self._check_provider()
        self._check_telemetry()
        self._check_engine()
        self._check_mail()
        self._check_scanner()
        return self

    def _check_scanner(self) -> None:
        if not self.scanner or re.fullmatch(r"unix:/[^\0]{1,100}", self.scanner):
            return
        parts = urlsplit(self.scanner)
        if parts.scheme != "tcp" or parts.hostname not in LOOPBACK or not _port_of(self.scanner):
            raise ValueError(
                "ASSENT_SCANNER is the socket of clamd on this machine, such as "
                "unix:/run/clamav/clamd.ctl or tcp://127.0.0.1:3310: its protocol has no "
                "encryption. Correct it, or leave it out."
            )

    def _check_demonstration_sign_in(self) -> None:
        if not self.demonstration_sign_in:
            return
        if not self.demonstration:
            raise ValueError(
                "Demonstration sign-in lets anybody in, so it is for demonstration mode only. "
                "Leave ASSENT_DEMONSTRATION_SIGN_IN out."
            )
        if self.host not in LOOPBACK or urlsplit(self.public_url).hostname not in LOOPBACK:
            raise ValueError(
                "Demonstration sign-in lets anybody in, so the service must listen on this "
                "machine only. Set ASSENT_HOST and ASSENT_PUBLIC_URL to 127.0.0.1, or leave "
                "ASSENT_DEMONSTRATION_SIGN_IN out."
            )

    def _check_provider(self) -> None:
        if not self.oidc_issuer:
            return
        if any(_ACR.fullmatch(each) is None for each in self.oidc_acr):
            raise ValueError(
                "ASSENT_OIDC_ACR lists what the provider calls a strength of sign-in, without "
                "spaces. Correct it."
            )
        if not self.oidc_client_id:
            raise ValueError("A sign-in provider needs ASSENT_OIDC_CLIENT_ID. Set it.")
        if self.oidc_client_auth == "private_key_jwt":
            self._check_provider_key()
        for name, address in (
            ("ASSENT_OIDC_ISSUER", self.oidc_issuer),
            ("ASSENT_PUBLIC_URL", self.public_url),
        ):
            parts = urlsplit(address)
            if parts.scheme != "https" and parts.hostname not in LOOPBACK:
                raise ValueError(f"{name} must begin with https:// where people sign in. Set it.")

    def _check_provider_key(self) -> None:
        if self.oidc_client_key_file is None or not self.oidc_client_key_file.is_file():
            raise ValueError(
                "private_key_jwt needs ASSENT_OIDC_CLIENT_KEY_FILE: our key, in PEM. Set it."
            )
        if not self.oidc_client_key_id:
            raise ValueError(
                "private_key_jwt needs ASSENT_OIDC_CLIENT_KEY_ID, by which the provider knows our "
                "key. Set it."
            )

    def _check_telemetry(self) -> None:
        if not self.otlp_endpoint:
            return
        parts = urlsplit(self.otlp_endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(
                "ASSENT_OTLP_ENDPOINT is no address of a collector. Set it to one such as "
                "http://127.0.0.1:4318/v1/traces, or leave it out."
            )
        if not _is_installed("opentelemetry.exporter.otlp.proto.http"):
            raise ValueError(
                "ASSENT_OTLP_ENDPOINT asks for traces, which need the extra `telemetry`: "
                "pip install 'assent[telemetry]'. Or leave ASSENT_OTLP_ENDPOINT out."
            )

    def _check_mail(self) -> None:
        if not self.smtp_host:
            return
        if _ADDRESS.fullmatch(self.mail_from) is None:
            raise ValueError("ASSENT_SMTP_HOST needs ASSENT_MAIL_FROM, a plain address. Set it.")
        if not self.mail_domains:
            raise ValueError(
                "ASSENT_SMTP_HOST needs ASSENT_MAIL_DOMAINS: the domains that reminders may go to, "
                'such as ["nhs.net"]. Set it.'
            )
        if self.smtp_security == "none" and self.smtp_host not in LOOPBACK:
            raise ValueError(
                "Mail may go without TLS on this machine only. Set ASSENT_SMTP_SECURITY to "
                "starttls or tls."
            )
        if self.smtp_user and self.smtp_security == "none":
            raise ValueError(
                "A mail server's password may not go without TLS. Set ASSENT_SMTP_SECURITY to "
                "starttls or tls, or leave ASSENT_SMTP_USER out."
            )
        if self.smtp_ca_file is not None and not self.smtp_ca_file.is_file():
            raise ValueError("ASSENT_SMTP_CA_FILE is no file. Correct it, or leave it out.")

    def _check_engine(self) -> None:
        if self.reconciliation_engine == "spark" and not _is_installed("pyspark"):
            raise ValueError(
                "ASSENT_RECONCILIATION_ENGINE asks for Spark, which needs the extra `spark`: "
                "pip install 'assent[spark]'. Or choose duckdb or plain, which give the same."
            )

    def origin(self) -> str:
        """The scheme, host and port of the outside address, as browsers send it in Origin."""
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}"

    def address(self, path: str) -> str:
        """The outside address of a path of the service."""
        return f"{self.public_url.rstrip('/')}{path}"

    def _check_audit_key(self) -> None:
        key = self.audit_key.get_secret_value()
        mend = "Set ASSENT_AUDIT_KEY to a secret kept outside the database, and keep it safe."
        if not key:
            raise ValueError(f"The audit log has no key to sign its rows with. {mend}")
        if len(key) < SHORTEST_KEY:
            raise ValueError(f"The audit key is under {SHORTEST_KEY} characters. {mend}")
        if key == DEMONSTRATION_AUDIT_KEY and not self.demonstration:
            raise ValueError(f"The audit key is the demonstration's, which is public. {mend}")

    def _check_pseudonym_key(self) -> None:
        key = self.pseudonym_key.get_secret_value()
        mend = "Set ASSENT_PSEUDONYM_KEY to a secret of its own, or leave it out."
        if key and len(key) < SHORTEST_KEY:
            raise ValueError(f"The pseudonym key is under {SHORTEST_KEY} characters. {mend}")
        if key and key == self.audit_key.get_secret_value():
            raise ValueError(f"The pseudonym key is the audit key. {mend}")
        if key == DEMONSTRATION_PSEUDONYM_KEY and not self.demonstration:
            raise ValueError(f"The pseudonym key is the demonstration's, which is public. {mend}")

    def pseudonym_key_bytes(self) -> bytes | None:
        """The secret that pseudonyms are keyed with; None where none is set."""
        return self.pseudonym_key.get_secret_value().encode() or None

    def retired_audit_keys(self) -> tuple[bytes, ...]:
        """The keys in use before, as bytes."""
        return tuple(key.get_secret_value().encode() for key in self.audit_keys_retired)

    def checkpoints(self) -> Path:
        """The folder that checkpoints of the audit log are kept in."""
        return self.checkpoints_dir or self.data_dir.resolve() / "checkpoints"

    def audit_key_bytes(self) -> bytes:
        """The key as bytes, as `app.db.transaction.Database` takes it."""
        return self.audit_key.get_secret_value().encode()


def _port_of(address: str) -> int | None:
    try:
        return urlsplit(address).port
    except ValueError:
        return None


def _is_installed(module: str) -> bool:
    """Whether a module of an optional package is there, without running it."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # nor is the package that it belongs to
        return False
