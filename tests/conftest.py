"""What holds for all tests: examples may be slow on a busy machine, and fetched programs are found.

`make unit` takes the profile `quick`: fewer examples, where a test does not say how many.
"""

import gc

from hypothesis import settings

from tests.support.programs import find_fetched_programs

find_fetched_programs()

# Thousands of tests are collected, and none of them is garbage.
gc.set_threshold(100_000, 50, 50)

settings.register_profile("spend", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=20)
settings.load_profile("spend")
