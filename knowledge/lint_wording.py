"""Wording that no coping card may use.

After the WHO's resource for media professionals on preventing suicide (2023), the #chatsafe
guidelines (Robinson et al. 2023) and Psychological First Aid (WHO et al. 2011): no stigma, no false
promise, no minimising, no orders, no diagnosis and no advice on medicines.
"""

import re
from typing import Final, NamedTuple

_SMALL_WORDS: Final = r"as|after|before|under|over|now|enough|in case|right|like"
_COUNTS: Final = r"\d+|one|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|thirty|half"
_UNITS: Final = r"seconds?|minutes?|hours?|days?|weeks?|months?|years?"
_ILLNESS: Final = (
    r"(?:clinical |major |severe |post-?natal )?depress(?:ion|ed|ive)|(?:an? )?(?:\w+ )?disorder"
    r"|bipolar|ptsd|ocd|adhd|autis(?:m|tic)|borderline|schizophreni\w+|psychosis|psychotic"
    r"|anorexi\w+|bulimi\w+|(?:an? )?alcoholic|(?:an? )?addict|codependent|(?:an? )?narcissist"
)
_MEDICINE: Final = (
    r"medicines?|medications?|meds|pills?|tablets?|doses?|anti-?depressants?|sedatives?|opioids?"
    r"|benzos?|benzodiazepines?|painkillers?|sleep(?:ing)? (?:aids?|pills?|tablets?)|insulin"
)
_DRUGS: Final = (
    r"melatonin|ibuprofen|paracetamol|acetaminophen|aspirin|st\.? john'?s wort|cbd|valerian"
    r"|antihistamines?|beta ?blockers?|propranolol|xanax|valium|diazepam|lorazepam|sertraline"
    r"|prozac|fluoxetine|naltrexone|methadone|kratom|cannabis|weed|supplements?"
)


class WordingRule(NamedTuple):
    """One kind of wording to keep out of cards."""

    name: str
    why: str
    pattern: re.Pattern[str]
    conditions_too: bool = True
    """Whether it holds for `when_not`, whose lines are conditions and not claims."""


def _rule(name: str, why: str, *patterns: str, conditions_too: bool = True) -> WordingRule:
    return WordingRule(name, why, re.compile("|".join(patterns), re.I), conditions_too)


WORDING_RULES: Final = (
    _rule(
        "suicide-wording",
        'suicide is not a crime or a feat: say "died by suicide" or "tried to end their life"',
        r"\bcommit\w* suicide\b",
        r"\b(?:un)?successful(?:ly)? (?:suicide|attempt)|\bfailed (?:suicide )?attempt",
        r"\bsuicide (?:bid|epidemic)\b",
    ),
    _rule(
        "false-promise",
        "nobody can promise how it will go",
        r"\b(?:everything|it|things|all|this|you)(?:'ll| will| is going to|'s going to"
        r"| are going to|'re going to)(?: all)?(?: be| turn out| work out)"
        r"(?: (?:fine|ok|okay|good|great|well|all ?right|better|over soon)\b|(?<=work out)\b)",
        r"\b(?:it|things|life) (?:always |will |soon )?gets? better\b",
        r"\b(?:guaranteed?|never fails|always works|works every time|we promise|i promise)\b",
    ),
    _rule(
        "order-to-feel",
        "telling a person what not to feel pushes them away",
        r"(?<!to )(?<!you )(?<!both )\bcalm down\b",
        r"(?<!told to )\b(?:cheer up|snap out of|toughen up|man up|look on the bright side)\b",
        r"(?<!told to )\bget over (?:it|this|him|her|them)\b",
        r"\b(?:do not|don't) (?:worry|cry|panic|be (?:sad|silly|so sensitive|afraid|scared))\b",
        r"\bstop (?:worrying|crying|overthinking|being)\b",
    ),
    _rule(
        "minimising-just",
        'a bare "just" makes a hard step sound easy',
        rf"\bjust\b(?! (?:{_SMALL_WORDS})\b)(?<!only just)(?<!not just)",
    ),
    _rule(
        "minimising",
        "comparing or shrinking pain tells a person that it does not count",
        rf"\bat least\b(?! (?:{_COUNTS})\b)(?! an? (?:{_UNITS})\b)(?! once\b)(?! twice\b)",
        r"\b(?:others|other people|some people|someone else) (?:have|has|had) it worse\b",
        r"\bcould be worse\b|\bnot (?:that|so) bad\b|\bit is only\b|\bno big deal\b",
        r"\b(?:everything happens|happened) for a reason\b|\bgod'?s plan\b|\ba better place\b",
    ),
    _rule(
        "order",
        'offer, do not order: "you could", "it may help to"',
        r"\byou(?: really| always| never| also)? (?:should|must|ought to)\b",
        r"\byou(?: really| always)? have (?:got )?to\b(?! (?:do|say|be|give|go|face|live)\b)",
    ),
    _rule(
        "diagnosis",
        "we do not diagnose: describe what the person says, and name who can look into it",
        rf"\byou (?:(?:probably|likely|clearly|may|might|must|seem to) )?(?:have|suffer from)"
        rf" (?:{_ILLNESS})\b",
        rf"\b(?:you are|you're|you may be|you might be|you seem)(?: probably| likely| clearly)?"
        rf" (?:{_ILLNESS})\b",
        rf"\byour (?:{_ILLNESS})\b",
        r"(?<!if )(?<!whether )\b(?:this|it|that) "
        r"(?:is|means|sounds like|may be|might be|could be) "
        rf"(?:you have |a (?:sign|symptom) of )?(?:{_ILLNESS})\b",
        conditions_too=False,
    ),
    _rule(
        "medicine-advice",
        "advice on medicines belongs to a doctor or pharmacist",
        r"(?<!not )(?<!never )(?<!before you )(?<!how to )(?<!whether to )"
        r"\b(?:stop|start|take|skip|lower|raise|double|cut|change|try|use|mix|halve)(?: taking)?"
        rf"(?: (?:your|a|an|the|some|any|more|less|fewer|extra|half|of|on)){{0,3}}"
        rf" (?:{_MEDICINE}|{_DRUGS})\b(?! (?:only )?as (?:your|a|the) (?:doctor|nurse))",
        r"\b\d+ ?(?:mg|milligrams?|mcg|ml)\b",
        conditions_too=False,
    ),
)

_QUOTED = re.compile(r'"[^"]{1,200}"|“[^”]{1,200}”')


def faulty_wording(text: str, *, condition: bool = False) -> list[WordingRule]:
    """Return the rules that `text` breaks; `condition` says that it is a line of `when_not`.

    Quoted words are left out: a card may repeat the saying that hurts, or words for somebody else.
    """
    plain = _QUOTED.sub(" ... ", text.replace("’", "'"))
    return [
        rule
        for rule in WORDING_RULES
        if (rule.conditions_too or not condition) and rule.pattern.search(plain)
    ]
