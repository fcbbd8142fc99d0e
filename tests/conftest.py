"""Settings of every test: hypothesis measures claims here, not the speed of the machine it runs on."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "plures", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("plures")
