"""The label sets that the heads are trained on and the rest of the project speaks in."""

from typing import Final

EMOTIONS: Final[tuple[str, ...]] = (
    "afraid",
    "angry",
    "annoyed",
    "anticipating",
    "anxious",
    "apprehensive",
    "ashamed",
    "caring",
    "confident",
    "content",
    "devastated",
    "disappointed",
    "disgusted",
    "embarrassed",
    "excited",
    "faithful",
    "furious",
    "grateful",
    "guilty",
    "hopeful",
    "impressed",
    "jealous",
    "joyful",
    "lonely",
    "nostalgic",
    "prepared",
    "proud",
    "sad",
    "sentimental",
    "surprised",
    "terrified",
    "trusting",
)
"""The 32 emotions of EmpatheticDialogues (Rashkin et al. 2019), in alphabetical order."""

PLEASANT: Final = frozenset(
    {"confident", "content", "excited", "grateful", "hopeful", "impressed", "joyful", "proud"}
)
"""Emotions that are pleasant whatever they are about."""

UNPLEASANT: Final = frozenset(
    {
        *("afraid", "angry", "annoyed", "anxious", "apprehensive", "ashamed", "devastated"),
        *("disappointed", "disgusted", "embarrassed", "furious", "guilty", "jealous", "lonely"),
        *("sad", "terrified"),
    }
)
"""Emotions that are unpleasant; the rest (surprised, nostalgic, caring …) may be either."""

UNSURE: Final = "unsure"
"""The emotion of a text that carries none, such as "hey, how does this work?"."""

EMOTION_LABELS: Final[tuple[str, ...]] = (*EMOTIONS, UNSURE)
"""What the emotion head tells apart."""

INTENTS: Final[tuple[str, ...]] = (
    "questioning",
    "acknowledging",
    "consoling",
    "agreeing",
    "encouraging",
    "sympathizing",
    "suggesting",
    "wishing",
    "neutral",
)
"""The nine listener intents of EmpatheticIntents (Welivita and Pu 2020)."""

CRISIS_LEVELS: Final[tuple[str, ...]] = ("none", "concern", "high", "imminent")
"""Levels of danger after the C-SSRS screener (Posner et al. 2011), mildest first."""
