"""How often logs may be read."""

from types import SimpleNamespace
from typing import Any

import pytest
from moto.logs.models import logs_backends

from emulator import logs
from emulator.calls import AwsError


def test_an_account_may_read_its_logs_five_times_in_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(logs, "time", SimpleNamespace(time=lambda: now[0]))

    def read(account: str) -> Any:
        backend = logs_backends[account]["eu-central-1"]
        backend.ensure_log_group("one")
        return backend.filter_log_events("one", [], 0, None, 10, None, "", False)  # type: ignore[arg-type]

    for _ in range(5):
        read("222222222222")
    with pytest.raises(AwsError) as refused:
        read("222222222222")
    assert refused.value.code == "ThrottlingException"
    assert read("333333333333")[0] == []

    now[0] += 1.1
    assert read("222222222222")[0] == []
