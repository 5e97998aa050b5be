"""Keys of a LiteLLM proxy without a database, as its `custom_auth`. Runs in LiteLLM's own environment."""

from litellm.proxy._types import LitellmUserRoles, ProxyException, UserAPIKeyAuth

KEYS = {
    "sk-admin-0123456789abcdefghijklmnop": {"user_role": LitellmUserRoles.PROXY_ADMIN, "user_id": "admin"},
    "sk-shop-0123456789abcdefghijklmnop": {
        "team_id": "team-1",
        "team_alias": "shop",
        "key_alias": "checkout",
    },
    "sk-search-0123456789abcdefghijklmnop": {"team_id": "team-2", "key_alias": "search/prod"},
    "sk-loose-0123456789abcdefghijklmnop": {"user_role": LitellmUserRoles.INTERNAL_USER, "user_id": "ana"},
}


async def known_key(_request, api_key):
    if api_key not in KEYS:
        raise ProxyException(message="Invalid key", type="auth_error", param="key", code=401)
    return UserAPIKeyAuth(api_key=api_key, **KEYS[api_key])
