"""Why the exporter gave no answer; each text names the address and what to do, and holds no secret."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pydantic import ValidationError

from exporter.questions.cost_answer import Problem
from exporter.questions.problem import QuestionError

BUSY_STATUSES: Final = (429, 503)
"""The exporter answers later; its `Retry-After` says when."""


class SpendError(OSError):
    """The exporter gave no answer."""


Lost = Callable[[SpendError], None]
"""Called each time that a connection of the stream is lost or cannot be made again."""


class UnreachableError(SpendError):
    """There is no connection to it, or its certificate is not trusted."""


class AccessError(SpendError):
    """The user, the password or the client's certificate is not accepted."""


class BusyError(SpendError):
    """It answers others, or stops; ask again later."""


def not_trusted(url: str, cause: Exception) -> UnreachableError:
    """Return the error for a certificate that cannot be checked."""
    return UnreachableError(
        f"the certificate of {url} is not trusted: use the host name that is in the certificate, and name "
        f"its authority with --ca-file, in Python ca_file ({type(cause).__name__})"
    )


def no_answer(url: str, cause: Exception) -> UnreachableError:
    """Return the error for a connection that fails; texts of libraries may hold what nobody should read."""
    return UnreachableError(
        f"no exporter answers at {url}: name the address of the running one with --url "
        f"({type(cause).__name__})"
    )


def refusal(status: int, body: bytes, url: str) -> SpendError | QuestionError:
    """Return the error for an answer that is none."""
    if status == 401:
        return AccessError(
            f"{url} needs a user and a password: give --user and --password-file, in Python user and "
            "password_file"
        )
    if status == 404:
        return SpendError(f"{url} answers no questions: it is an older version, or no spend-exporter")
    problem = _problem(status, body)
    if status == 400 and problem.parameter is not None:
        return QuestionError(problem.parameter, problem.error.removeprefix(f"{problem.parameter}: "))
    text = f"{url} did not answer: {problem.error}"
    if status == 403:
        return AccessError(text)
    return BusyError(text) if status in BUSY_STATUSES else SpendError(text)


def not_understood(url: str, error: ValidationError) -> SpendError:
    """Return the error for an answer of another shape."""
    place = ".".join(map(str, error.errors()[0]["loc"])) or "the answer"
    return SpendError(
        f"the answer of {url} is not what this version reads ({place}): use the same version of "
        "spend-exporter on both sides"
    )


def _problem(status: int, body: bytes) -> Problem:
    try:
        return Problem.model_validate_json(body)
    except ValueError:
        return Problem(error=f"status {status}", parameter=None)
