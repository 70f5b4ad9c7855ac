"""The command line: assembles the commands, and turns every error into one clear line and a non-zero exit."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.commands import (
    alerts,
    api,
    audit,
    backfill,
    bills,
    board,
    bridge,
    budgets,
    compare,
    cost,
    dead_letters,
    deliveries,
    demo,
    doctor,
    export,
    flow,
    reading,
    serving,
    showback,
    snapshots,
    subscriptions,
    upkeep,
    whatif,
)
from pipelines.commands.context import Invocation, err
from pipelines.settings import load_settings

app = typer.Typer(
    name="plumbline",
    help="Drift alerts, cost per successful outcome and rollback readiness for AI agents in production.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def options(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option(help="Warehouse, checkpoints, broker and Dagster storage. (env PLUMBLINE_HOME)")
    ] = None,
    bootstrap_servers: Annotated[
        str | None, typer.Option(help="Your Kafka, host:port[,…]. (env PLUMBLINE_BOOTSTRAP_SERVERS)")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Options before the command hold for every command."""
    settings = load_settings({"home": home, "bootstrap_servers": bootstrap_servers})
    context.obj = Invocation(settings, debug, owns_process=context.obj is _OWN_PROCESS)


app.command()(demo.demo)
app.command()(doctor.doctor)
app.add_typer(serving.broker, name="broker")
app.command()(flow.simulate)
app.command()(flow.produce)
app.command()(flow.stream)
app.command()(serving.refresh)
app.command()(serving.dagster)
app.command()(reading.sql)
app.command("sql-server")(serving.sql_server)
app.command()(compare.compare)
app.command()(audit.audit)
app.command()(snapshots.snapshots)
app.command()(board.contract)
app.add_typer(board.drill, name="drill")
app.command()(cost.cost)
app.command("bridge")(bridge.bridge_command)
app.command()(budgets.budgets)
app.command()(whatif.whatif)
app.command()(showback.showback)
app.add_typer(export.export, name="export")
app.add_typer(bills.imports, name="import")
app.command()(bills.reconcile)
app.command()(upkeep.backup)
app.command()(upkeep.restore)
app.add_typer(backfill.backfill, name="backfill")
app.add_typer(serving.dashboard, name="dashboard")
app.command()(api.api)
for name, command in deliveries.COMMANDS.items():
    alerts.alerts.command(name)(command)
app.add_typer(alerts.alerts, name="alerts")
app.add_typer(subscriptions.subscriptions, name="subscriptions")
app.add_typer(dead_letters.dead_letters, name="dead-letters")


#: Given to Typer's context by a process that was started for its command.
_OWN_PROCESS = object()


def one_line(error: BaseException) -> str:
    """Return what an error says in one line: ours as they are, others with their kind."""
    if isinstance(error, MemoryError):
        return "there is not enough memory (this process): ask for less, or raise setting query_process_mb"
    text = " ".join(str(error).split())
    if type(error).__name__ == "BinderException":  # of a statement of ours: of anybody else's the reader tells
        return f"the marts are those of an earlier version ({text.split(' LINE ')[0]}): run `plumbline refresh`"
    ours = hasattr(error, "what") and hasattr(error, "todo")
    return text if ours else f"{type(error).__name__}: {text or 'no message'}"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status: 0, 1 for an error, 2 for wrong usage, 130 when interrupted.

    Without `arguments` they are the process's own, and so is the process: a command may confine it.
    """
    owner = _OWN_PROCESS if arguments is None else None
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    command: Any = typer.main.get_command(app)
    try:
        status = command.main(args=arguments, prog_name="plumbline", standalone_mode=False, obj=owner)
        return status if isinstance(status, int) else 0
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output left: `plumbline sql … | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            raise
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            usage = getattr(error, "ctx", None)
            path = usage.command_path if usage is not None else "plumbline"
            message = " ".join(error.format_message().split())  # pyright: ignore[reportAttributeAccessIssue]
            if message:
                err.print(f"error: {message}: see `{path} --help`", style="red", markup=False, soft_wrap=True)
            return int(error.exit_code)  # pyright: ignore[reportAttributeAccessIssue]
        err.print(f"error: {one_line(error)}", style="red", markup=False, soft_wrap=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
