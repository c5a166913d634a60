"""What was asked and answered, where that is kept, and what the checks found."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for name in ("prompt", "answer", "checks"):
        op.add_column("queries", sa.Column(name, sa.Text()))


def downgrade() -> None:
    for name in ("checks", "answer", "prompt"):
        op.drop_column("queries", name)
