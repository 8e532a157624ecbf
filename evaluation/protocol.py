"""How conversations with people at risk are handled, scored after the VERA-MH rubric.

Our own transcripts are played through the graph, and rules are asked of its replies. A rule is a
pattern: it sees whether something is said, not how well. People must still read conversations.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, get_args

from tqdm import tqdm

from evaluation.protocol_rules import Group, ProtocolRules, load_rules
from evaluation.transcripts import Played, Risk, Transcript
from graph.lines import replay
from knowledge.helplines import load_registry
from training.metrics import share

if TYPE_CHECKING:
    from graph.build import Graph

GROUPS: Final[tuple[Group, ...]] = get_args(Group)
ALL: Final = "all"

Scores = dict[str, bool | None]


def play(graph: Graph, transcript: Transcript) -> Played:
    """Play one transcript through the graph, as a conversation of its own."""
    line = json.dumps({"id": transcript.id, "turns": transcript.model_dump()["turns"]})
    turns = list(replay([line], graph, transcript.country))
    return Played(
        transcript,
        tuple(turn["level"] for turn in turns),
        tuple(turn["reply"] for turn in turns),
    )


def evaluate_protocol(graph: Graph, transcripts: Iterable[Transcript]) -> dict[str, Any]:
    """Play each transcript and score the program's replies.

    Args:
        graph: the graph of one turn, with a checkpointer.
        transcripts: from `evaluation.transcripts.load_transcripts`.

    Returns:
        Shares of rules kept, by risk and group; each rule with those who failed it; how late
        danger was noticed; and the scores of each conversation. No text of anybody is in it.
    """
    rules = load_rules(load_registry())
    listed = list(transcripts)
    bar = tqdm(listed, desc="protocol", unit="talk", disable=not sys.stderr.isatty())
    played = [play(graph, transcript) for transcript in bar]
    return summarise(rules, played)


def summarise(rules: ProtocolRules, played: Sequence[Played]) -> dict[str, Any]:
    """Score conversations that were played, and count."""
    scored = [(each, rules.score(each)) for each in played]
    risks = [risk for risk in get_args(Risk) if any(p.transcript.risk == risk for p in played)]
    by_risk = {
        risk: _row(rules, [scores for p, scores in scored if p.transcript.risk == risk])
        for risk in risks
    }
    return {
        "transcripts": len(played),
        "by_risk": by_risk | {ALL: _row(rules, [scores for _, scores in scored])},
        "rules": _by_rule(rules, scored),
        "detection": _detection(played),
        "conversations": [_conversation(each, scores) for each, scores in scored],
    }


def _row(rules: ProtocolRules, scores: Sequence[Scores]) -> dict[str, Any]:
    """Count rules kept by group, and conversations without a fault that can harm."""
    row: dict[str, Any] = {"transcripts": len(scores)}
    for group in GROUPS:
        names = [rule.name for rule in rules.rules if rule.group == group]
        row[group] = _kept([each[name] for each in scores for name in names])
    red = [rule.name for rule in rules.rules if rule.severity == "red"]
    safe = sum(all(each[name] is not False for name in red) for each in scores)
    return row | {"without_red_fault": share(safe, len(scores))}


def _kept(scores: Iterable[bool | None]) -> dict[str, Any]:
    asked = [score for score in scores if score is not None]
    kept = round(sum(asked) / len(asked), 4) if asked else None
    # No interval: rules of one conversation are not independent.
    return {"share": kept, "hits": sum(asked), "of": len(asked)}


def _by_rule(rules: ProtocolRules, scored: Sequence[tuple[Played, Scores]]) -> dict[str, Any]:
    return {
        rule.name: {
            "means": rule.means,
            "group": rule.group,
            "severity": rule.severity,
            "items": list(rule.items),
            **_kept([scores[rule.name] for _, scores in scored]),
            "failed": [p.transcript.id for p, scores in scored if scores[rule.name] is False],
        }
        for rule in rules.rules
    }


def _detection(played: Sequence[Played]) -> dict[str, Any]:
    risky = [each for each in played if each.transcript.risk != "none"]
    late = [_late(each) for each in risky]
    calm = [each for each in played if each.transcript.risk == "none"]
    turns = [level for each in calm for level in each.levels]
    return {
        "at_once": share(late.count(0), len(risky)),
        "within_two_messages": share(sum(n is not None and n <= 2 for n in late), len(risky)),
        "missed": [each.transcript.id for each in risky if each.detected is None],
        "false_alarms": {
            "conversations": share(sum(set(p.levels) != {"none"} for p in calm), len(calm)),
            "messages": share(sum(level != "none" for level in turns), len(turns)),
        },
    }


def _late(played: Played) -> int | None:
    return None if played.detected is None else played.detected - played.transcript.shows


def _conversation(played: Played, scores: Scores) -> dict[str, Any]:
    transcript = played.transcript
    return {
        "id": transcript.id,
        "risk": transcript.risk,
        "style": transcript.style,
        "country": transcript.country,
        "levels": list(played.levels),
        "detected": played.detected,
        "late": _late(played) if transcript.risk != "none" else None,
        "rules": scores,
    }


def table(report: dict[str, Any]) -> str:
    """Lay out the report: a row for each risk, then each rule, those most often broken first."""
    columns = ("transcripts", *GROUPS, "without_red_fault")
    lines = [f"{'risk':14}" + "".join(f"{_title(name):>14}" for name in columns)]
    for risk, row in report["by_risk"].items():
        cells = [str(row["transcripts"]), *(_percent(row[name]) for name in columns[1:])]
        lines.append(f"{risk:14}" + "".join(f"{cell:>14}" for cell in cells))
    found = report["detection"]
    alarms = found["false_alarms"]
    lines += [
        "",
        f"danger noticed at once {_percent(found['at_once'])}, within two more messages "
        f"{_percent(found['within_two_messages'])}, never in {len(found['missed'])}",
        f"false alarms: {_count(alarms['conversations'])} conversations without risk, "
        f"{_count(alarms['messages'])} of their messages",
        "",
        f"{'kept':>9}  {'group':8} {'severity':9}rule",
    ]
    asked = [(name, rule) for name, rule in report["rules"].items() if rule["of"]]
    for name, rule in sorted(asked, key=lambda each: each[1]["share"]):
        kept = f"{rule['hits']}/{rule['of']}"
        lines.append(f"{kept:>9}  {rule['group']:8} {rule['severity']:9}{name}: {rule['means']}")
    return "\n".join(lines)


def _title(name: str) -> str:
    return {"without_red_fault": "no red fault"}.get(name, name)


def _percent(counted: dict[str, Any]) -> str:
    return "-" if counted["share"] is None else f"{counted['share']:.1%}"


def _count(counted: dict[str, Any]) -> str:
    return f"{counted['hits']} of {counted['of']}"
