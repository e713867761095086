"""Property tests must not depend on the machine's load, nor differ from run to run."""

from hypothesis import HealthCheck, settings

settings.register_profile("equiserve", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("equiserve")
