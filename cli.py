"""The command `empathy`."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from cli_io import Json, input_lines, print_lines
from cli_knowledge import knowledge
from graph.settings import Settings

app = typer.Typer(
    help="First support for a person in distress: a LangGraph pipeline that runs on this machine.",
    epilog="Settings come from the environment (EMPATHY_…); `empathy doctor` shows what is used.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(knowledge, name="knowledge")

Country = Annotated[
    str, typer.Option(help="Where the person is, two letters such as NP; chooses the helplines.")
]
Lines = Annotated[
    str, typer.Argument(metavar="[FILE]", help="A file of JSON lines; - for standard input.")
]

INTRODUCTION = """\
This is a program that listens. It is not a person, not a therapist, and no help line.
In an emergency call your local emergency number; findahelpline.com lists help lines worldwide.
Write what is on your mind and press Enter. Ctrl-D or Ctrl-C ends the conversation.
"""
USAGE = """\
Nothing came in on standard input. Run `empathy chat` in a terminal to talk, pipe a message in,
one a line (echo "I can't sleep" | empathy chat), or use: empathy chat --once "I can't sleep"
"""


@app.command()
def chat(
    once: Annotated[str | None, typer.Option(help="Answer this one message and exit.")] = None,
    country: Country = "",
    as_json: Json = False,
) -> None:
    """Talk in the terminal; reads standard input, a message a line, when it is not a terminal."""
    _check_country(country)
    interactive = once is None and sys.stdin.isatty()
    messages: Iterator[str] | None = None
    if once is not None:
        messages = iter([once])
    elif not interactive:
        # Looked at before anything loads, so that an empty input is answered at once.
        messages = _peek(line for line in input_lines("-") if line.strip())
        if messages is None:
            typer.echo(USAGE, err=True, nl=False)
            return
    session = _session(country, quiet=as_json)
    if interactive:
        typer.echo(INTRODUCTION, err=True)
        messages = _prompt()
    for message in messages or ():
        _answer(session, message, as_json)


@app.command()
def annotate(file: Lines = "-") -> None:
    """Read emotion, intent and danger of JSON lines: {"text"} or {"messages": [...]}.

    A bad line gives {"error", "line"}; the rest goes on, and the exit status is 1 at the end.
    """
    from graph.lines import all_cores
    from graph.lines import annotate as run
    from graph.resources import load_perception

    settings = Settings()
    seen = load_perception(settings)
    with all_cores(settings):
        print_lines(run(_progress(input_lines(file), "annotating"), seen))


@app.command()
def review(file: Lines = "-") -> None:
    """Review drafts of any model, JSON lines of {"messages", "reply"}."""
    from graph.lines import review as run
    from graph.resources import load_resources

    resources = load_resources(Settings(chat_model="none").measuring())
    print_lines(run(input_lines(file), resources))


@app.command()
def replay(
    file: Lines = "-",
    country: Country = "",
    generation: Annotated[
        bool, typer.Option(help="Let the model write; else replies are composed.")
    ] = True,
) -> None:
    """Play transcripts through the graph, JSON lines of {"id", "turns": [{"role", "text"}]}."""
    from graph.build import build_graph
    from graph.lines import replay as run
    from graph.resources import load_resources

    _check_country(country)
    settings = Settings() if generation else Settings(chat_model="none")
    graph = build_graph(load_resources(settings.measuring(), progress=True))
    print_lines(run(input_lines(file), graph, country))


@app.command()
def evaluate(
    suite: Annotated[
        str | None,
        typer.Argument(
            metavar="[emotion|intent|crisis|protocol|retrieval|review]",
            help="What to measure; default: the three readings.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of the data; for crisis, protocol, review a JSON lines file."),
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for the pictures; default: the user's cache.")
    ] = None,
    large: Annotated[
        bool, typer.Option("--large", help="retrieval: time 100,000 passages too, in minutes.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure the readings, or retrieval, on text not trained on, beside baselines.

    The suite protocol plays conversations of people at risk and scores how they are handled.
    """
    from evaluation.protocol_rules import ProtocolRuleError
    from evaluation.run import TABLED, EvaluationError, evaluate_tabled
    from evaluation.run import evaluate as run
    from evaluation.tables import layout
    from graph.lines import all_cores
    from graph.resources import load_perception
    from training.data import DataError

    try:
        if suite in TABLED:
            report, table = evaluate_tabled(suite, data, large=large)
            typer.echo(json.dumps({suite: report}) if as_json else table)
            return
        settings = Settings()
        with all_cores(settings):
            reports, drawn = run(suite, data, pictures, lambda: load_perception(settings))
    except (DataError, EvaluationError, ProtocolRuleError) as exc:
        typer.echo(f"error: {exc}", err=True)
        raise typer.Exit(2) from exc
    if as_json:
        typer.echo(json.dumps(reports | {"pictures": [str(path) for path in drawn]}))
        return
    typer.echo(layout(reports))
    typer.echo("\nPictures: " + ", ".join(str(path) for path in drawn))


@app.command()
def bench(
    turns: Annotated[int, typer.Option(min=5, help="Turns a measurement.")] = 50,
    as_json: Json = False,
) -> None:
    """Measure speed and memory, side by side in one run."""
    from benchmarks.run import run, table

    report = run(turns)
    typer.echo(json.dumps(report, indent=2) if as_json else table(report))


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address; default: EMPATHY_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; default: EMPATHY_PORT.")] = None,
) -> None:
    """Serve the graph over HTTP with LangServe, under /support."""
    import uvicorn

    from app import create_app

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    settings = Settings()
    uvicorn.run(
        create_app(settings),
        host=host or settings.host,
        port=settings.port if port is None else port,
        log_level="info",
    )


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what is installed and used, and what is wrong; exits 1 if anything is."""
    from graph.doctor import examine, report

    checks = examine(Settings())
    if as_json:
        typer.echo(json.dumps([check._asdict() for check in checks], ensure_ascii=False))
    else:
        typer.echo(report(checks))
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


def main() -> None:
    """Run the command; Ctrl-C ends it quietly, and a closed pipe is no error."""
    # The person's words may be in a traceback's values, and a traceback helps nobody here.
    logging.basicConfig(level=logging.CRITICAL)
    try:
        code = app(standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except typer.Exit as exc:
        sys.exit(exc.exit_code)
    except Exception as exc:  # The last door: a clear line instead of a traceback.
        if (show := getattr(exc, "show", None)) is not None:  # click's errors print themselves
            show()
            sys.exit(getattr(exc, "exit_code", 2))
        typer.echo(f"error: {str(exc) or type(exc).__name__}", err=True)
        sys.exit(1)
    # Without click's standalone mode, an exit status comes back as the result.
    sys.exit(code if isinstance(code, int) else 0)


def _session(country: str, *, quiet: bool) -> Any:
    from graph.build import build_graph
    from graph.resources import load_resources
    from graph.session import Session

    settings = Settings()
    if not quiet:
        typer.echo("Starting …", err=True)
    resources = load_resources(settings, progress=not quiet)
    for problem in resources.problems:
        typer.secho(f"warning: {problem}", err=True, fg="yellow")
    if not quiet and resources.chat is not None:
        typer.echo(f"Replies by {resources.chat.name} on {resources.chat.device}.\n", err=True)
    return Session(build_graph(resources), country=country.upper())


def _answer(session: Any, message: str, as_json: bool) -> None:
    from graph.session import Turn

    first = True
    for part in session.say(message):
        if isinstance(part, Turn):
            if as_json:
                typer.echo(json.dumps(part.public(), ensure_ascii=False))
            else:
                typer.echo("\n")
        elif not as_json:
            typer.echo(part if first else f" {part}", nl=False)
            sys.stdout.flush()
            first = False


def _prompt() -> Iterator[str]:
    while True:
        try:
            line = input("> ")
        except EOFError:
            typer.echo("", err=True)
            return
        if line.strip():
            yield line


def _peek(lines: Iterator[str]) -> Iterator[str] | None:
    from itertools import chain

    first = next(lines, None)
    return None if first is None else chain([first], lines)


def _progress(lines: Iterable[str], name: str) -> Iterable[str]:
    from tqdm import tqdm

    return tqdm(lines, desc=name, unit=" lines", disable=not sys.stderr.isatty())


def _check_country(country: str) -> None:
    if country and not (len(country) == 2 and country.isascii() and country.isalpha()):
        raise typer.BadParameter("a country is two letters, such as NP or GB")


if __name__ == "__main__":
    main()
