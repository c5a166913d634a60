"""Alembic's entry: migrates over the connection that the store hands in."""

from alembic import context
from sqlalchemy import Connection, text

from app.store import METADATA

LOCK = 5_713_254  # any number that nothing else in this database locks

connection: Connection = context.config.attributes["connection"]
if connection.dialect.name == "postgresql":
    connection.execute(text(f"select pg_advisory_xact_lock({LOCK})"))
context.configure(connection=connection, target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
