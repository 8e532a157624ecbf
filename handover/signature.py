"""Signs messages as the Standard Webhooks specification says (symmetric, version 1)."""

import base64
import hmac
from typing import Final

_PREFIX: Final = "whsec_"


def secret_key(secret: str) -> bytes:
    """Return the key of a secret: "whsec_" and base64 (Standard Webhooks), or the text itself.

    Raises:
        ValueError: the secret is empty or not base64.
    """
    if secret.startswith(_PREFIX):
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    else:
        key = secret.encode()
    if not key:
        raise ValueError("the webhook's secret is empty")
    return key


def sign(key: bytes, id: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`: HMAC-SHA256 of id, timestamp and body."""
    digest = hmac.digest(key, f"{id}.{timestamp}.".encode() + body, "sha256")
    return "v1," + base64.b64encode(digest).decode()
