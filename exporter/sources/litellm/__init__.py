"""A LiteLLM proxy: its metrics and daily activity."""
