"""One table of provider names: what bills, logs, proxies and price lists call the same company.

Every source takes the label value of `provider` from here, so that no company counts under two names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final


@dataclass(frozen=True, slots=True)
class Provider:
    """One company that sends bills. All names are slugs, as `slug` makes them."""

    label: str
    """Label value of `provider`."""
    bills: tuple[str, ...] = ()
    """Names of the company on a bill, without the legal form. The label is always one of them."""
    bill_beginnings: tuple[str, ...] = ()
    """Beginnings of further names on a bill."""
    calls: tuple[str, ...] = ()
    """Names of its APIs in logs and proxies. A bill of this name may be another company's."""
    call_beginnings: tuple[str, ...] = ()
    priced_as: str = ""
    """Its id in the price data of genai-prices; empty where that is the label or has no prices."""


OTHER_BILLS_ZONE: Final = "UTC"
"""Zone of the days of providers without their own source, such as those of FOCUS files."""

LEGAL_FORMS: Final = "inc|llc|l-l-c|ltd|limited|corp|corporation|gmbh|sarl|s-a-r-l|sas|bv|b-v|pbc|plc|co"
"""Endings of a company's name that say nothing about which company it is; a regular expression."""

PROVIDERS: Final[tuple[Provider, ...]] = (
    Provider(
        "aws",
        ("amazon",),
        ("amazon-web-services",),
        ("sagemaker", "amazon-nova", "transcribe"),
        ("aws-", "bedrock", "amazon-bedrock", "amazon-sagemaker", "sagemaker-"),
    ),
    Provider(
        "azure",
        ("microsoft",),
        ("microsoft-azure", "microsoft-ireland", "azure-"),
        ("az-ai-inference", "az-ai-openai", "microsoft-foundry"),
        ("az-ai-", "azureopenai", "azureai"),
    ),
    Provider(
        "gcp",
        ("google",),
        ("google-cloud", "google-ireland"),
        ("palm", "vertex", "vertexai"),
        ("gcp-", "vertex-ai", "gemini", "google-ai", "google-ge", "google-gla", "google-vertex"),
        priced_as="google",
    ),
    Provider("oci", ("oracle",), ("oracle-cloud", "oracle-america"), (), ("oci-", "oracle-")),
    Provider("openai", (), ("openai-",), ("text-completion-openai", "chatgpt", "aiohttp-openai")),
    # These names begin like OpenAI's, but any provider may use them.
    Provider("openai-like", (), (), ("custom-openai", "openai-compatible")),
    Provider("openai-decisions"),
    Provider("anthropic", (), ("anthropic-",), ("claude",)),
    Provider("mistral", ("mistralai",), ("mistral-ai",), ("codestral", "text-completion-codestral")),
    Provider("ai21", ("ai21-labs", "ai21labs")),
    Provider("alibaba-cloud", ("alibaba", "aliyun"), (), ("dashscope", "qwencloud", "qwen-ai-platform")),
    Provider("assemblyai", ("assembly-ai",)),
    Provider("black-forest-labs", (), (), ("bfl",)),
    Provider("cerebras", ("cerebras-systems",)),
    Provider("cloudflare", (), (), ("workers-ai", "cloudflare-workers-ai")),
    Provider("cohere", ("cohere-ai",)),
    Provider("deepinfra", ("deep-infra",)),
    Provider("deepseek", ("deepseek-ai",), ("hangzhou-deepseek",)),
    Provider("digitalocean", (), (), ("gradient-ai",)),
    Provider("elevenlabs", ("eleven-labs",)),
    Provider("fal", ("fal-ai",)),
    Provider("featherless", ("featherless-ai",)),
    Provider("fireworks", ("fireworks-ai", "fireworksai")),
    Provider("friendli", ("friendliai", "friendli-ai")),
    Provider("github", (), (), ("github-copilot", "github-models")),
    Provider("groq", ("groq-cloud", "groqcloud")),
    Provider("huggingface", ("hugging-face",), (), (), ("huggingface-",)),
    Provider("ibm", ("ibm-cloud", "international-business-machines"), (), (), ("ibm-", "watsonx")),
    Provider("inception", ("inception-labs",), (), ("text-completion-inception",)),
    Provider("jina", ("jina-ai",)),
    Provider("lambda", ("lambda-ai", "lambda-labs")),
    Provider("meta", ("meta-platforms",), (), ("meta-llama",)),
    Provider("moonshot", ("moonshotai", "moonshot-ai"), (), ("kimi",), priced_as="moonshotai"),
    Provider("nebius", ("nebius-ai",), (), ("nebius-ai-studio", "nebius-token-factory")),
    Provider("novita", ("novita-ai",)),
    Provider("nvidia", (), (), ("nvidia-nim", "nvidia-riva")),
    Provider("openrouter", ("open-router",)),
    Provider("ovhcloud", ("ovh", "ovh-cloud", "ovh-groupe")),
    Provider("perplexity", ("perplexity-ai", "perplexityai")),
    Provider("reka", ("reka-ai",)),
    Provider("runway", ("runwayml", "runway-ai")),
    Provider("sambanova", ("sambanova-systems",)),
    Provider("stability", ("stability-ai",)),
    Provider("tencent", ("tencent-cloud",), (), ("hunyuan",)),
    Provider("together", ("together-ai", "togetherai", "together-computer")),
    Provider("volcengine", ("volcano-engine",)),
    Provider("voyage", ("voyageai", "voyage-ai"), priced_as="voyageai"),
    Provider("wandb", ("weights-biases", "weights-and-biases")),
    Provider("xai", ("x-ai",), priced_as="x-ai"),
    Provider("zai", ("z-ai",)),
    Provider("zhipuai", ("zhipu", "zhipu-ai"), (), ("bigmodel",)),
)
"""All that have more than one name. Any other provider's label is its own name, as a slug."""

_SEPARATOR: Final = re.compile(r"[\W_]+")
_LEGAL_FORM: Final = re.compile(rf"(?:-(?:{LEGAL_FORMS}))+$")
_KIND_OF_CALL: Final = re.compile(
    r"(?:-(?:chat|text|messages|responses|completions?|embeddings?|image|speech|transcription))+$"
)
"""What some libraries write behind the provider: `openai.chat`, `anthropic_text`, `cohere_chat`."""


def slug(name: str) -> str:
    """Return a name in lower case with a hyphen for everything that is neither letter nor digit."""
    return _SEPARATOR.sub("-", name.lower()).strip("-")


@lru_cache(maxsize=4096)
def provider_label(name: str) -> str:
    """Return the label value of `provider` for a name in a log or a proxy; empty for an empty one.

    A name that the table does not have stays, written as bills of that provider are labelled.
    """
    written = slug(name)
    bare = _LEGAL_FORM.sub("", written)
    exact, beginnings = _names()
    provider_alone = _KIND_OF_CALL.sub("", bare)
    for candidate in (written, bare, provider_alone):
        if candidate in exact:
            return exact[candidate]
    known = (label for beginning, label in beginnings if written.startswith(beginning))
    return next(known, provider_alone)


def bill_label(name: str) -> str:
    """Return the label value of `provider` for a name on a bill; empty for an empty one.

    The SQL that reads FOCUS bills has the same rule.
    """
    written = slug(name)
    bare = _LEGAL_FORM.sub("", written)
    exact = {known: each.label for each in PROVIDERS for known in (each.label, *each.bills)}
    for candidate in (written, bare):
        if candidate in exact:
            return exact[candidate]
    beginnings = ((start, each.label) for each in PROVIDERS for start in each.bill_beginnings)
    return next((label for start, label in beginnings if written.startswith(start)), bare)


def price_name(label: str) -> str:
    """Return what genai-prices calls the provider of a label."""
    return next((each.priced_as for each in PROVIDERS if each.label == label and each.priced_as), label)


@cache
def _names() -> tuple[dict[str, str], list[tuple[str, str]]]:
    exact = {name: each.label for each in PROVIDERS for name in (each.label, *each.bills, *each.calls)}
    beginnings = [
        (beginning, each.label)
        for each in PROVIDERS
        for beginning in (*each.bill_beginnings, *each.call_beginnings)
    ]
    return exact, beginnings
