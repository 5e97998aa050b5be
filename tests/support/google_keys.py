"""Key files of service accounts, whose tokens are to be had at an address of ours."""

from __future__ import annotations

import json
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


def write_key_file(path: Path, token_uri: str, email: str) -> Path:
    """Write a key file; a token server that does not check signatures takes it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    content = {
        "type": "service_account",
        "project_id": email.partition("@")[2].partition(".")[0],
        "private_key": pem.decode(),
        "client_email": email,
        "token_uri": token_uri,
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
