"""What people are told when the crisis protocol has answered."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from graph.state import CrisisLevel


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _encodable(text: object) -> object:
    # A broken emoji (a lone surrogate) fits in no UTF-8 file or request; the event must not fail.
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else text


Text = Annotated[str, BeforeValidator(_encodable)]


class EscalationEvent(BaseModel):
    """One turn that the crisis protocol has answered.

    The levels are those of the C-SSRS screener. The fields are data for a person on call, not a
    diagnosis; by default none of them holds what the person wrote.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        # Errors of validation end up in logs, and their input may be a person's words.
        hide_input_in_errors=True,
        # JSON has no NaN; as null, the event could not be read back.
        ser_json_inf_nan="strings",
    )

    id: str = Field(default_factory=lambda: uuid4().hex)
    """The same for every delivery of this event; receivers drop duplicates by it."""
    time: str = Field(default_factory=_now)
    """When, in UTC: ISO 8601 with milliseconds."""
    thread: Text
    """The conversation; "" when the caller keeps none."""
    turn: int
    """How many turns the protocol has answered in this thread, this one included."""
    level: CrisisLevel
    score: float
    """Probability of any danger, 0 to 1."""
    signals: tuple[str, ...]
    """What was noticed, in plain words; never the person's text."""
    offered: tuple[str, ...]
    """Ids of the protocol texts said this turn."""
    country: Text
    """ISO 3166-1 alpha-2 code as the person or caller gave it; "" when nobody did."""
    text: Text | None = Field(default=None, repr=False)
    """What the person wrote, only where the operator opted in; kept out of every repr and log."""
