"""Which port `harness ui` takes, and that it takes none where there is nothing to show."""

import socket

import pytest

from harness.commands import ui
from harness.errors import UsageError


def test_a_busy_port_is_passed_over_unless_it_was_asked_for(capsys):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        taken = busy.getsockname()[1]
        refusal = pytest.raises(UsageError, match=f"port {taken} cannot be used: Address already")
        with refusal, ui.free_port(taken):
            pass
    with pytest.MonkeyPatch.context() as patch, socket.create_server(("127.0.0.1", 0)) as busy:
        taken = busy.getsockname()[1]
        patch.setattr(ui, "PORT", taken)
        with ui.free_port(None) as port:
            assert port > taken
    assert f"port {taken} is in use" in capsys.readouterr().err


def test_two_that_begin_at_once_do_not_meet_at_one_port():
    with ui.free_port(None) as first, ui.free_port(None) as second:
        assert first != second
        refusal = pytest.raises(UsageError, match="another harness ui has it")
        with refusal, ui.free_port(first):
            pass
    with ui.free_port(first) as again:
        assert again == first


def test_nothing_recorded_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UsageError, match="nothing is recorded here"):
        ui.main([])
    assert not [*tmp_path.iterdir()]
