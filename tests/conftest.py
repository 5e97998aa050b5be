"""What holds for all tests: a busy machine makes no example of a property too slow.

`make unit` takes the profile `quick`: fewer examples, where a test does not say how many.
"""

from hypothesis import settings

settings.register_profile("spend", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=20)
settings.load_profile("spend")
