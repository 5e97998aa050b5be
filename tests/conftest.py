"""What holds for all tests: a busy machine makes no example of a property too slow."""

from hypothesis import settings

settings.register_profile("spend", deadline=None)
settings.load_profile("spend")
