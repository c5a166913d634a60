"""What a tag starts: a run of the released branch, for a run of the tag has a token that no cluster knows."""

from typing import Annotated

import typer

from release import forge, rollback
from release.abort import author
from release.cli import told
from release.errors import Refused

WORKFLOW = "rollback.yml"
BRANCH = "main"  # whose subject a cluster binds a role to

app = typer.Typer()


@app.command()
def tagged(ref: Annotated[str, typer.Argument(metavar="TAG", help="like deploy/prod/v1.2.0")]) -> None:
    """Start the rollback that a tag asks for, as a run of the released branch."""
    with told():
        env, version = rollback.named(ref)
        there = forge.connect()
        if there is None:
            again = f"`make rollback VERSION={version} ENVIRONMENT={env}`"
            raise Refused(f"{ref}: no forge to ask; {again} does it from here")
        why = f"the tag {ref}, pushed by {author()}"  # who starts the next run is the forge's own robot
        there.start(WORKFLOW, BRANCH, {"environment": env, "version": version, "why": why})
        typer.echo(f"{WORKFLOW} is started on {BRANCH}: {env} goes back to {version}")
