"""The configuration: one pydantic model for each section, and problems in the words of the user."""
