"""What every table shares: the metadata, and the types of ids and organisations' codes."""

from sqlalchemy import BigInteger, Integer, MetaData, String

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ID = String(36)
ORGANISATION = String(9)
# SQLite only gives dense, never reused row numbers to INTEGER PRIMARY KEY AUTOINCREMENT.
SEQUENCE = BigInteger().with_variant(Integer, "sqlite")
