"""The admin APIs of OpenAI and Anthropic: costs and usage."""
