"""Who may call: systems, people, their sessions and tokens."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
)

from app.db.tables.base import ID, ORGANISATION, metadata
from app.db.types import Document, Instant

caller = Table(
    "caller",
    metadata,
    Column("id", ID, primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("name", String(120), nullable=False),
    Column("kind", String(10), nullable=False),  # person | system
    Column("organisation", ORGANISATION, nullable=False),
    Column("role", String(30), nullable=False),
    Column("demonstration", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)

# Systems that sign in with a signed token of their own (OAuth 2 client credentials).
client = Table(
    "client",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", String(120), nullable=False),
    Column("role", String(30), nullable=False),
    Column("organisations", Document, nullable=False),  # those that it may act for
    Column("scopes", Document, nullable=False),
    Column("jwks_url", String(300)),
    Column("requests_per_minute", Integer),  # null: the service's own limit
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)

client_key = Table(
    "client_key",
    metadata,
    Column("client_id", ID, ForeignKey("client.id"), primary_key=True),
    Column("kid", String(100), primary_key=True),
    Column("jwk", Document, nullable=False),  # public
    Column("added_at", Instant, nullable=False),
    Column("removed_at", Instant),
)

# The jti of each assertion that was taken, so that no worker takes it again.
client_assertion = Table(
    "client_assertion",
    metadata,
    Column("client_id", ID, ForeignKey("client.id"), primary_key=True),
    Column("jti", String(100), primary_key=True),
    Column("expires_at", Instant, nullable=False, index=True),
)

access_token = Table(
    "access_token",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("client_id", ID, ForeignKey("client.id"), nullable=False, index=True),
    Column("scopes", Document, nullable=False),
    Column("issued_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)

# People who sign in with an OpenID Connect provider such as NHS Care Identity.
person = Table(
    "person",
    metadata,
    Column("id", ID, primary_key=True),
    Column("issuer", String(300), nullable=False),
    Column("subject", String(120), nullable=False),  # the provider's own id for the person
    Column("name", String(120), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    UniqueConstraint("issuer", "subject"),
)

# Roles that an administrator granted here, beside those that the provider names.
person_role = Table(
    "person_role",
    metadata,
    Column("id", ID, primary_key=True),
    Column("person_id", ID, ForeignKey("person.id"), nullable=False, index=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("role", String(30), nullable=False),
    Column("granted_at", Instant, nullable=False),
    Column("granted_by", ID, nullable=False),
    Column("revoked_at", Instant),
)

# Whose a credential is: a long-lived token, a system, or another record of the same person. What is
# tied to nobody is no person where two must act. `standing` repeats the credential while it holds.
credential_holder = Table(
    "credential_holder",
    metadata,
    Column("id", ID, primary_key=True),
    Column("credential", ID, nullable=False),  # of caller, client or person
    Column("standing", ID, unique=True),
    Column("kind", String(10), nullable=False),  # token | system | person
    Column("person_id", ID, ForeignKey("person.id"), nullable=False, index=True),
    Column("tied_at", Instant, nullable=False),
    Column("tied_by", String(120), nullable=False),
    Column("untied_at", Instant),
    Column("untied_by", String(120)),
)

# A sign-in under way: what must come back from the provider, and from the same browser.
sign_in = Table(
    "sign_in",
    metadata,
    Column("browser_hash", String(64), primary_key=True),
    Column("state_hash", String(64), nullable=False),
    Column("nonce", String(60), nullable=False),
    Column("verifier", String(60), nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)

# A person's session. Its secret is known to the browser only: the row has the digest.
session = Table(
    "session",
    metadata,
    Column("id", ID, primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("person_id", ID, ForeignKey("person.id"), nullable=False, index=True),
    Column("choices", Document, nullable=False),  # the roles that the person may act in
    Column("organisation", ORGANISATION),  # with `role`, null until one is chosen
    Column("role", String(30)),
    Column("csrf", String(43), nullable=False),
    Column("provider_session", String(200), index=True),
    Column("provider_subject", String(255), index=True),  # what a logout token names a person by
    Column("created_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Column("browser", String(40)),  # in words of ours, such as Edge on Windows
    Column("proved_at", Instant),  # when the person last proved who they are, where that is known
)

# The oldest release whose services may go on while each later schema is there; written by upgrades.
schema_release = Table(
    "schema_release",
    metadata,
    Column("revision", String(32), primary_key=True),
    Column("oldest", String(32), nullable=False),
)

# The jti of each logout token that was taken, so that none is taken twice.
logout_token = Table(
    "logout_token",
    metadata,
    Column("issuer", String(300), primary_key=True),
    Column("jti", String(200), primary_key=True),
    Column("expires_at", Instant, nullable=False, index=True),
)

# How many calls each client has left, for every serving process together.
rate_bucket = Table(
    "rate_bucket",
    metadata,
    Column("who", String(64), primary_key=True),  # a digest of the client's id or the address
    Column("parts", BigInteger, nullable=False),  # thousandths of a call; below zero: overdrawn
    Column("at", Instant, nullable=False, index=True),
)

# What one administrator of an organisation proposes and a second one confirms or declines.
administration_proposal = Table(
    "administration_proposal",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("act", String(30), nullable=False),
    Column("content", Document, nullable=False),
    Column("state", String(10), nullable=False),  # waiting | confirmed | declined
    Column("proposed_at", Instant, nullable=False),
    Column("proposed_by", ID, nullable=False),
    Column("decided_at", Instant),
    Column("decided_by", ID),
    Column("made", String(100)),  # the id of what was made: a person, a client, a key, a setting
    Index("ix_administration_proposal_lookup", "organisation", "state"),
)

organisation_setting = Table(
    "organisation_setting",
    metadata,
    Column("id", ID, primary_key=True),
    Column("organisation", ORGANISATION, nullable=False),
    Column("setting", String(60), nullable=False),  # e.g. pharmacist_authorisation
    Column("value", Document, nullable=False),
    Column("from_day", Date, nullable=False),
    Column("to_day", Date),
    Column("recorded_at", Instant, nullable=False),
    Column("recorded_by", String(120), nullable=False),
    Index("ix_organisation_setting_lookup", "organisation", "setting"),
)
