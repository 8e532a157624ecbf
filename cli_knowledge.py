"""The commands `empathy knowledge …`."""

from __future__ import annotations

import json
import sys
import textwrap
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli_io import Json, input_lines, print_lines
from graph.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from graph.retrieval import Retrieval
    from knowledge.ingest import IngestReport
    from knowledge.library import CollectionStats, Library
    from knowledge.search import Query

knowledge = typer.Typer(
    help="The coping cards and documents that replies draw on.", no_args_is_help=True
)


@knowledge.command()
def ingest(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files or folders of them: cards, Markdown, text, PDF, HTML, CSV, JSON Lines; "
            "or the word counsel-chat."
        ),
    ] = None,
    collection: Annotated[
        str, typer.Option(help="Where documents go; default: documents, or counsel_chat.")
    ] = "",
    licence: Annotated[
        str, typer.Option(help="Licence of the documents that name none.")
    ] = "unknown",
    counsel_chat: Annotated[
        Path | None,
        typer.Option(
            "--from", help="Folder of CounselChat; default: downloaded from the Hugging Face hub."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Add cards and documents, and bring the indexes up to date; a stopped run goes on.

    Personal data is removed, and documents with harmful advice are left out. Exits 1 if any
    source could not be read.
    """
    from graph.retrieval import Retrieval
    from knowledge.gather import COUNSEL_CHAT
    from knowledge.ingest import CollectionNameError, check_name
    from knowledge.ingest import ingest as run

    try:
        if collection:
            check_name(collection)
    except CollectionNameError as exc:
        raise typer.BadParameter(str(exc)) from exc
    if counsel_chat is not None and COUNSEL_CHAT not in (sources or []):
        raise typer.BadParameter(f"--from says where {COUNSEL_CHAT} is; name that as a source")
    settings = Settings()
    retrieval = Retrieval.of(settings, every_core=True)
    with _library(settings) as library:
        try:
            report = run(
                sources or [],
                library,
                retrieval.encoder,
                retrieval.place,
                bank=retrieval.bank,
                collection=collection,
                licence=licence,
                counsel_chat=counsel_chat,
                progress=sys.stderr.isatty(),
                say=_say,
                shipped_cards=_shipped_cards(settings),
            )
        except KeyboardInterrupt:
            _say(f"Stopped. Kept: {_kept(library)}. The same command goes on from there.")
            raise
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        _print_report(report)
    if report.problems:
        raise typer.Exit(1)


@knowledge.command()
def search(
    text: Annotated[str, typer.Argument(help="What to look for; - reads JSON lines of {text}.")],
    k: Annotated[int, typer.Option(min=1, max=100, help="Most results.")] = 3,
    collection: Annotated[str, typer.Option(help="Which collection.")] = "strategies",
    floor: Annotated[
        float | None,
        typer.Option(
            help="Least similarity; default: as replies have it, none for - and documents."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find what fits a text, and say why it was found."""
    from graph.retrieval import Retrieval
    from knowledge.search import DEFAULT_WEIGHTS
    from knowledge.store import Store

    many = text == "-"
    retrieval = Retrieval.of(Settings())
    opened = retrieval.open(collection, progress=sys.stderr.isatty())
    weights = DEFAULT_WEIGHTS
    # Programs rank documents for themselves; a card is shown only where a reply would offer it.
    if floor is not None or (many and not opened.cards):
        least = -1.0 if floor is None else floor
        weights = replace(weights, floor=least, specific_floor=least, least_agreement=0.0)
    asking = _asking(retrieval, cards=bool(opened.cards))
    with Store([opened], weights) as store:
        if many:
            from graph.lines import each_line, messages_of

            def answer(record: dict[str, Any]) -> Any:
                text = messages_of(record)[-1].text
                return [each.strategy for each in store.search(asking(text), k=k)]

            print_lines(each_line(input_lines("-"), answer))
            return
        found = store.search(asking(text), k=k)
    if as_json:
        typer.echo(json.dumps([each.strategy for each in found], ensure_ascii=False))
        return
    if not found:
        typer.echo("Nothing is close enough to this text.")
    for each in found:
        strategy = each.strategy
        typer.secho(f"{strategy['title'] or strategy['id']}  ({strategy['score']:.2f})", bold=True)
        typer.echo(f"  {strategy['text']}\n  {strategy['source']}\n  id: {strategy['id']}")
        passage = textwrap.shorten(each.passage, 90, placeholder=" …")
        typer.echo(f'  why: {"; ".join(each.reasons)}: "{passage}"')


def _asking(retrieval: Retrieval, *, cards: bool) -> Callable[[str], Query]:
    """Return what makes a query of a text; cards are asked for as a reply would ask."""
    from knowledge.search import Query

    if not cards:
        return lambda text: Query(retrieval.encoder.embed_query(text))
    from langchain_core.messages import HumanMessage

    from graph.resources import load_perception
    from knowledge.contraindications import load_contraindications
    from nodes.emotion import RecognizeEmotion

    seen = load_perception(retrieval.settings)
    recognize = RecognizeEmotion(seen.reader, seen.emotion_head)
    rules = load_contraindications()

    def asking(text: str) -> Query:
        return Query(
            retrieval.encoder.embed_query(text),
            emotions=recognize({"messages": [HumanMessage(text)]})["emotion"]["scores"],
            ruled_out=rules.ruled_out([text]),
        )

    return asking


@knowledge.command()
def stats(as_json: Json = False) -> None:
    """Show what each collection holds."""
    settings = Settings()
    collections = [_stats_of_cards(settings)]
    with _library(settings) as library:
        collections += library.stats()
    if as_json:
        typer.echo(json.dumps(collections, ensure_ascii=False))
        return
    for each in collections:
        vectors = ", ".join(f"{count:,} by {name}" for name, count in each["vectors"].items())
        typer.secho(each["collection"], bold=True)
        typer.echo(
            f"  {each['documents']:,} documents, {each['chunks']:,} chunks, "
            f"{each['bytes'] / 2**20:.1f} MB\n  vectors: {vectors or 'none'}"
        )


@knowledge.command()
def remove(
    collection: Annotated[str, typer.Argument(help="Which collection.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a collection with its documents and vectors."""
    from graph.retrieval import Retrieval
    from knowledge.ingest import remove as run

    settings = Settings()
    with _library(settings) as library:
        held = {each["collection"]: each for each in library.stats()}
        if collection not in held:
            there_is = ", ".join(held) or "none of documents"
            raise typer.BadParameter(f"no collection {collection!r}; there is: {there_is}")
        number = held[collection]["documents"]
        if not yes:
            if not sys.stdin.isatty():
                raise typer.BadParameter("--yes is needed where nobody can be asked")
            if not typer.confirm(f"Remove {collection} with {number:,} documents?"):
                typer.echo("Nothing was removed.")
                raise typer.Exit(1)
        run(library, Retrieval.of(settings).place, collection, say=_say)
    typer.echo(f"{collection} was removed, with {number:,} documents.")


@knowledge.command()
def lint(
    folder: Annotated[
        Path | None,
        typer.Argument(exists=True, file_okay=False, help="Cards of your own; default: ours."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the wording, sources and coverage of cards; exits 1 if anything is found."""
    from knowledge.lint import lint_folder

    found = lint_folder(folder or _shipped_cards(Settings()))
    if as_json:
        typer.echo(json.dumps([vars(each) for each in found], ensure_ascii=False))
    else:
        for each in found:
            typer.echo(str(each))
    if found:
        raise typer.Exit(1)


def _library(settings: Settings) -> Library:
    from knowledge.library import FILE_NAME, Library

    return Library.open(settings.data_dir / FILE_NAME)


def _shipped_cards(settings: Settings) -> Path:
    from knowledge.cards import DEFAULT_FOLDER

    return settings.cards_dir or DEFAULT_FOLDER


def _stats_of_cards(settings: Settings) -> CollectionStats:
    from graph.retrieval import Retrieval
    from knowledge.contents import CARDS

    cards = Retrieval.of(settings).open(CARDS)
    cards.index.close()
    files = cards.index.path.rglob("*") if cards.index.path else []
    return {
        "collection": cards.name,
        "documents": cards.entries,
        "chunks": cards.index.size,
        "vectors": {cards.encoder_id: cards.index.size},
        "bytes": sum(path.stat().st_size for path in files if path.is_file()),
    }


def _print_report(report: IngestReport) -> None:
    counts = ("added", "updated", "unchanged", "removed")
    typer.echo(", ".join(f"{len(getattr(report, name)):,} {name}" for name in counts))
    if report.duplicates:
        typer.echo(f"duplicates left out: {len(report.duplicates):,}")
    if report.left_out:
        faults = Counter(fault.name for each in report.left_out for fault in each.faults)
        typer.echo(f"left out for harmful advice: {len(report.left_out):,} ({_several(faults)})")
    if report.empty:
        typer.echo(f"left out as nothing but personal data: {len(report.empty):,}")
    if report.personal_data:
        typer.echo(f"personal data removed: {_several(report.personal_data)}")
    if report.embedded:
        typer.echo(f"chunks embedded: {report.embedded:,}")
    for problem in report.problems:
        typer.secho(f"error: {problem}", err=True, fg="red")


def _several(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common())


def _kept(library: Library) -> str:
    held = library.stats()
    documents = sum(each["documents"] for each in held)
    chunks = sum(each["chunks"] for each in held)
    vectors = sum(sum(each["vectors"].values()) for each in held)
    return f"{documents:,} documents, and vectors of {vectors:,} of their {chunks:,} chunks"


def _say(line: str) -> None:
    typer.echo(line, err=True)
