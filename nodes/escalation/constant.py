"""The last resort: a reply that needs no file, no registry and no other code."""

from typing import Final

CONSTANT_REPLY: Final = (
    "Thank you for writing. I'm a program, and something went wrong on my side, so I can't answer "
    "you well right now. Are you safe? If you or someone else may be in danger, please call your "
    "local emergency number now. At findahelpline.com you can find people to call, text or chat "
    "with in your country. If you can, tell a person you trust how things are. You can keep "
    "writing to me here."
)
"""After WHO and 988 Lifeline guidance: ask directly, and always a way to a human."""
