"""A test that cannot run here says so; in CI that is a failure."""

import pytest

from tests.conftest import DID_NOT_RUN, need


def test_what_is_present_goes_on() -> None:
    need("envoy", present="a path")


def test_what_is_absent_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CI must have envoy"):
        need("envoy", present=None)


def test_what_is_absent_is_named_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(BaseException, match=f"{DID_NOT_RUN}: needs envoy") as caught:
        need("envoy", present="")
    assert type(caught.value).__name__ == "Skipped"
