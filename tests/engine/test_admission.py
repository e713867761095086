from __future__ import annotations

import asyncio
from math import inf

import pytest
from pydantic import SecretStr

from equiserve.engine import Admission
from equiserve.errors import (
    DeadlineExceeded,
    EquiServeError,
    InvalidRequest,
    Overloaded,
    PermissionDenied,
    TooLarge,
    Unauthenticated,
    Unsupported,
)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_an_announced_body_over_the_limit_is_refused_before_it_is_read() -> None:
    admission = Admission(max_body_bytes=1024)
    with pytest.raises(TooLarge):
        admission.admit("inference", {}, 1025)
    assert (admission.inflight_requests, admission.inflight_bytes) == (0, 0)


async def test_a_growing_body_is_refused_as_soon_as_it_is_too_much() -> None:
    admission = Admission(max_body_bytes=1024)
    context = admission.admit("inference", {})
    admission.grow(context, 1000)
    admission.grow(context, 1024)
    with pytest.raises(TooLarge):
        admission.grow(context, 1025)
    admission.release(context)
    assert admission.inflight_bytes == 0


async def test_bodies_of_all_requests_together_are_bounded() -> None:
    admission = Admission(max_body_bytes=1000, max_inflight_bytes=1500)
    first = admission.admit("inference", {}, 1000)
    with pytest.raises(Overloaded) as refused:
        admission.admit("inference", {}, 1000)
    assert refused.value.code == "too_many_bytes"
    admission.release(first)
    admission.release(admission.admit("inference", {}, 1000))
    assert admission.inflight_bytes == 0


async def test_requests_under_way_are_bounded_but_health_always_answers() -> None:
    admission = Admission(max_inflight_requests=1)
    admission.admit("inference", {})
    with pytest.raises(Overloaded):
        admission.admit("inference", {})
    admission.admit("open", {})


@pytest.mark.parametrize(
    ("route", "headers", "expected"),
    [
        ("open", {}, None),
        ("inference", {}, Unauthenticated),
        ("inference", {"authorization": "Basic dXNlcg=="}, Unauthenticated),
        ("inference", bearer("hush-other"), Unauthenticated),
        ("inference", bearer("hush-user"), None),
        ("inference", bearer("hush-boss"), None),
        ("check", bearer("hush-user"), None),
        ("admin", bearer("hush-user"), PermissionDenied),
        ("admin", bearer("hush-boss"), None),
    ],
)
async def test_who_may_do_what(route: str, headers: dict[str, str], expected: type[EquiServeError] | None) -> None:
    admission = Admission(token=SecretStr("hush-user"), admin_token=SecretStr("hush-boss"))
    if expected is None:
        admission.admit(route, headers)  # type: ignore[arg-type]
    else:
        with pytest.raises(expected) as refused:
            admission.admit(route, headers)  # type: ignore[arg-type]
        assert "hush" not in refused.value.message


async def test_loading_models_can_be_switched_off() -> None:
    with pytest.raises(Unsupported):
        Admission(admin=False).admit("admin", {})


async def test_a_request_id_is_taken_over_only_where_it_is_harmless() -> None:
    admission = Admission()
    assert admission.admit("open", {"x-request-id": "trace-1"}).request_id == "trace-1"
    for harmful in ("a\r\nx: y", "é", "x" * 129, ""):
        assert admission.admit("open", {"x-request-id": harmful}).request_id != harmful
    made = {admission.admit("open", {}).request_id for _ in range(100)}
    assert len(made) == 100


async def test_the_shorter_of_two_deadlines_counts_and_is_capped() -> None:
    admission = Admission(max_deadline_s=10)
    now = asyncio.get_running_loop().time()
    assert admission.admit("inference", {}).deadline == inf
    both = admission.admit("inference", {"x-request-timeout-ms": "5000"}, timeout_s=3)
    assert both.deadline - now == pytest.approx(3, abs=1)
    assert admission.admit("inference", {}, timeout_s=1e9).deadline - now == pytest.approx(10, abs=1)


async def test_a_deadline_in_the_past_or_unreadable_is_refused() -> None:
    admission = Admission()
    for given in ("0", "-5"):
        with pytest.raises(DeadlineExceeded):
            admission.admit("inference", {"x-request-timeout-ms": given})
    for given in ("soon", "nan"):
        with pytest.raises(InvalidRequest):
            admission.admit("inference", {"x-request-timeout-ms": given})
