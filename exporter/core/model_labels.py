"""One label value of `model` for a model that a cloud resells, in its bill and in logs of calls.

Bills of clouds name a model without the date and the version of its API, logs name it by its id. The label is
what the bill can say. Providers of their own models name it alike in both, with its date, and it stays so.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_CLOUDS: Final = frozenset({"aws", "azure", "gcp"})

_BEFORE_THE_NAME: Final = re.compile(
    r"^(?:(?:us|us-gov|eu|apac|ap|jp|au|ca|sa|me|af|il|global)\.)?"
    r"(?:ai21|amazon|anthropic|cohere|deepseek|google|luma|meta|minimax|mistral|moonshot|moonshotai|nvidia|openai|qwen"
    r"|stability|twelvelabs|writer|zai)\."
)
"""`us.anthropic.` of Bedrock's inference profiles."""
_OF_AN_API: Final = re.compile(r"-\d:\d$|(?:-v\d+)?(?::\d+)?(?::\d+k)?$")
"""`-v1:0` behind the ids of Bedrock."""
_DATE: Final = re.compile(r"[-@](?:20\d{6}|latest|default)$")
_DASHED_DATE: Final = re.compile(r"-20\d\d-(\d\d)-(\d\d)$")
_REVISION: Final = re.compile(r"(?<=[a-z])-0\d\d$")
"""`gemini-2.0-flash-001`."""

_CLAUDE: Final = re.compile(r"^claude-(\d)(?:-(\d))?-(opus|sonnet|haiku)\b")
_OLD_CLAUDE: Final = re.compile(r"^claude-(opus|sonnet|haiku)-(3)(?:-(\d))?\b")
_NUMBER_ATTACHED: Final = re.compile(r"^(gpt|qwen)(?=\d)")
_VERSION_ALONE: Final = re.compile(r"^(?=[rv]\d)")
"""Of `deepseek.r1`."""
_LLAMA: Final = re.compile(r"^llama-?(\d)(?:-(\d)(?=-))?(?=[-.]|$)")
_NOVA: Final = re.compile(r"^nova-(\d)(?=-[a-z])")


@lru_cache(maxsize=4096)
def model_label(provider: str, model: str) -> str:
    """Return the label of a model of a bill or of a log; `provider` is a label of its own.

    Anthropic's `claude-sonnet-4-5`, Amazon's `nova-2.0-lite`, Azure's `gpt-4o-0806`: as it is for models that
    are not resold by a cloud.
    """
    if provider not in _CLOUDS or not model:
        return model
    name = model.rpartition("/")[2].lower()
    if provider == "aws":
        name = _OF_AN_API.sub("", _BEFORE_THE_NAME.sub("", name))
        name = _NOVA.sub(r"nova-\1.0", _LLAMA.sub(_spelled_llama, name))
        name = _VERSION_ALONE.sub("deepseek-", name)
    elif provider == "azure":
        name = _DASHED_DATE.sub(r"-\1\2", name)
    else:
        name = _REVISION.sub("", name)
    name = _NUMBER_ATTACHED.sub(r"\1-", _DATE.sub("", name))
    # Anthropic has put the number behind the family since version 4.
    name = _CLAUDE.sub(_spelled_claude, name)
    name = _OLD_CLAUDE.sub(lambda found: _claude_3(found.group(1), found.group(3)), name)
    return name or model


def _spelled_claude(found: re.Match[str]) -> str:
    major, minor, family = found.groups()
    if int(major) < 4:
        return found.group()
    return "-".join(filter(None, ("claude", family, major, minor)))


def _claude_3(family: str, minor: str | None) -> str:
    return "-".join(filter(None, ("claude", "3", minor, family)))


def _spelled_llama(found: re.Match[str]) -> str:
    major, minor = found.groups()
    return f"llama-{major}.{minor}" if minor else f"llama-{major}"
