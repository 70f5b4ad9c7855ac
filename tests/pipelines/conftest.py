"""Settings of the property tests of this package."""

from hypothesis import settings

# No deadline: a slow machine is no failure.
settings.register_profile("plumbline", deadline=None, max_examples=50)
settings.load_profile("plumbline")
