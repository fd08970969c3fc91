"""`assent policies`: the library, and the bench on which policies are written and proved."""

import typer

from app.commands.policies import (
    checking,
    explaining,
    library,
    notices,
    paper,
    proving,
    replaying,
    writing,
)

app = typer.Typer(
    help="Write, check, test, prove, compare, replay and publish policies.", no_args_is_help=True
)
app.command()(writing.new)
app.command()(writing.schema)
app.command(name="import")(writing.import_form)
app.command()(checking.check)
app.command(name="test")(checking.run_worked_cases)
app.command(name="explain")(explaining.explain_form)
app.command()(proving.prove)
app.command()(proving.diff)
app.command(name="replay")(replaying.replay_forms)
app.command()(library.show)
app.command(name="overview")(library.show_overview)
app.command()(paper.form)
app.command()(library.lock)
app.command()(library.publish)
app.command(name="affected")(library.show_affected)
app.command(name="adopt")(library.adopt_version)
app.command(name="end-adoption")(library.end_adoption_of)
app.command()(notices.suspend)
app.command()(notices.lift)
