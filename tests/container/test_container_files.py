import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()


def default(value: str) -> str:
    """What compose substitutes when no variable of the caller is set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    models, jobs = (default(volume) for volume in service["volumes"])
    assert models == "./models/zoo:/models:ro"
    assert jobs == "jobs:/var/lib/equiserve"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_publishes_on_loopback_unless_told_otherwise(name: str) -> None:
    assert [default(port) for port in SERVICES[name]["ports"]] == ["127.0.0.1:8000:8000", "127.0.0.1:8001:8001"]


def test_only_the_cpu_service_starts_without_a_profile() -> None:
    assert [name for name, service in SERVICES.items() if "profiles" not in service] == ["equiserve"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_builds_a_target_that_the_dockerfile_has_on_the_same_base(name: str) -> None:
    build = SERVICES[name]["build"]
    assert re.search(rf"^FROM \S+ AS {build['target']}$", DOCKERFILE, re.MULTILINE)
    assert f"ARG BASE={default(build['args']['BASE'])}\n" in DOCKERFILE


def test_the_default_image_is_the_cpu_one_without_torch() -> None:
    assert re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE)[-1] == "cpu"


def test_the_image_runs_as_a_numeric_user_other_than_root() -> None:
    (user,) = re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)
    assert int(user) != 0


def test_jobs_lie_in_a_volume_that_belongs_to_the_user_of_the_server() -> None:
    (user,) = re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)
    assert re.search(rf"^RUN install -d -o {user} -g {user} -m 700 /var/lib/equiserve$", DOCKERFILE, re.MULTILINE)
    assert "EQUISERVE_JOBS_DIR=/var/lib/equiserve/jobs " in DOCKERFILE


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_takes_the_callers_credentials(name: str) -> None:
    environment = SERVICES[name]["environment"]
    assert environment["EQUISERVE_TOKEN"] is None
    assert environment["EQUISERVE_ADMIN_TOKEN"] is None


def test_compose_and_image_probe_readiness_in_the_same_way() -> None:
    (image,) = re.findall(r"^HEALTHCHECK .*? CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    for service in SERVICES.values():
        assert service["healthcheck"]["test"] == ["CMD", *yaml.safe_load(image)]


def test_the_build_context_leaves_out_the_zoo_and_the_data() -> None:
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in rules
    assert rules.index("models/zoo") > rules.index("!models")
