"""What fills the slots of the protocol texts: the registry's lines and numbers, in words."""

from typing import Final

from knowledge.helplines import FALLBACK_SITE, Country, Line

LOCAL_EMERGENCY: Final = "your local emergency number"
"""Stands for a number where the country is not known: a number from elsewhere may reach nobody."""

_OPEN: Final = frozenset({"24/7", "unknown"})


def slots(country: Country | None, turn: int) -> dict[str, str]:
    """Return the values for the slots of the protocol texts.

    Args:
        country: Where the person is; none where nobody has said, or the registry lacks it.
        turn: How many turns the protocol has answered; later turns name a country's other lines.
    """
    filled = {"emergency": LOCAL_EMERGENCY, "site": FALLBACK_SITE}
    if country is None:
        return filled
    filled["emergency"] = " or ".join(country.emergency[:2])
    if country.lines:
        # A line that may be closed is named only where there is no other.
        lines = [line for line in country.lines if line.hours in _OPEN] or list(country.lines)
        line = lines[turn % len(lines)]
        filled["line_name"] = line.name
        filled["line_reach"] = reach(line)
    return filled


def reach(line: Line) -> str:
    """Say how to reach a line, as words that follow "you can"."""
    if line.call and line.call == line.sms:
        ways = [f"call or text {line.call}"]
    else:
        ways = [f"call {line.call}"] if line.call else []
        ways += [f"text {line.sms}"] if line.sms else []
    # A way without a voice matters to those who cannot speak aloud; one such way is enough.
    if line.chat and not line.sms:
        ways.append(f"chat at {line.chat}")
    hours = "" if line.hours in _OPEN else f", open {line.hours}"
    return " or ".join(ways) + hours
