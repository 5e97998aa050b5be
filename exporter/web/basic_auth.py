"""Basic authentication against bcrypt hashes.

bcrypt is slow on purpose: it runs once per credentials, not per scrape, and never in the event loop.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import bcrypt

_CACHED_ANSWERS: Final = 128
_BCRYPT_MAX_BYTES: Final = 72
"""bcrypt uses at most this many bytes of a password; the library refuses longer ones."""


class BasicAuth:
    """Users and their password hashes. For use from one event loop; close it afterwards."""

    def __init__(self, password_hashes: Mapping[str, str]) -> None:
        """`password_hashes`: bcrypt hash by user name; at least one."""
        self._hashes = {user: text.encode() for user, text in password_hashes.items()}
        self._unknown_user_hash = next(iter(self._hashes.values()))
        self._cache_key = secrets.token_bytes(32)
        self._answers: OrderedDict[bytes, bool] = OrderedDict()
        # One check at a time: guessing passwords is slow, and never uses more than one core here.
        self._executor = ThreadPoolExecutor(1, "bcrypt")

    def __repr__(self) -> str:
        return f"BasicAuth({len(self._hashes)} users)"

    async def allows(self, authorization: str) -> bool:
        """Whether an Authorization header names a user with the right password."""
        credentials = _credentials(authorization)
        if credentials is None:
            return False
        user, password = credentials
        # Keyed, so that memory holds neither passwords nor anything to test guesses against.
        key = hashlib.blake2b(user.encode() + b"\0" + password, key=self._cache_key).digest()
        answer = self._answers.get(key)
        if answer is None:
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(self._executor, self._check, user, password)
            self._answers[key] = answer
            if len(self._answers) > _CACHED_ANSWERS:
                self._answers.popitem(last=False)
        else:
            self._answers.move_to_end(key)
        return answer

    def close(self) -> None:
        """Cancel checks that have not started."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _check(self, user: str, password: bytes) -> bool:
        """Run bcrypt for unknown users too, so that the response time does not reveal user names."""
        right = bcrypt.checkpw(password[:_BCRYPT_MAX_BYTES], self._hashes.get(user, self._unknown_user_hash))
        return right and user in self._hashes


def _credentials(authorization: str) -> tuple[str, bytes] | None:
    """Return user name and password of a Basic header (RFC 7617), or None for anything else."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, UnicodeDecodeError):
        return None
