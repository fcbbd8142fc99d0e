"""Settings of every test: hypothesis measures claims here, not the speed of the machine it runs on.

The same examples are drawn in every run, so that a commit passes or fails the same way everywhere;
`HYPOTHESIS_PROFILE=explore` draws new ones.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "plures", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.register_profile("explore", settings.get_profile("plures"), derandomize=False, max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "plures"))
