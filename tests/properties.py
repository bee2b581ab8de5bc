"""Numbers of examples that the tests of properties try.

Most try 60. With `--hypothesis-profile thorough` each tries a thousand.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings


def register_profiles() -> None:
    """Make the profiles known to Hypothesis, and load that of the suite."""
    # Nothing depends on how fast the machine is, or on the temporary folder being a new one for each example.
    checks = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    for name, examples in (("suite", 60), ("thorough", 1000)):
        settings.register_profile(name, max_examples=examples, deadline=None, suppress_health_check=checks)
    settings.load_profile("suite")


def one_in(part: int) -> settings:
    """Settings of a test whose examples take long: it tries one in `part` of the usual number."""
    return settings(max_examples=settings().max_examples // part)
