"""No config makes the program run code of its choice."""

import pytest
from omegaconf import OmegaConf

from harness.commands import ui
from harness.errors import UsageError
from tests.support.commands import refused

CALLED = [
    "+hydra.callbacks.a._target_=pathlib.Path.touch +hydra.callbacks.a.self=evil",
    "hydra.job_logging.handlers.console.class=pathlib.Path.touch",
    "hydra.job_logging.handlers.console.class=logging.os.system",
    "+hydra.job_logging.handlers.x={(): os.system, command: touch evil}",
    "hydra.hydra_logging.handlers.console.stream=ext://antigravity.x",
    "-m hydra.launcher._target_=os.system",
    "-m hydra.sweeper._target_=os.system",
    "+dataset._target_=os.system",
    "+_target_=os.system",
]


@pytest.mark.parametrize("line", CALLED)
def test_a_config_that_names_code_to_run_is_refused(workplace, capsys, caplog, line):
    lines = line.split(" ") if "{" not in line else [line.replace("()", "'()'")]
    assert "harness: " in refused(capsys, *lines)
    assert caplog.records == []  # no line beside


def test_resolvers_of_others_do_not_run_and_those_that_may_are_named(workplace, capsys):
    called = []
    OmegaConf.register_new_resolver("evil", lambda: called.append(1), replace=True)
    try:
        said = refused(capsys, "seed=${evil:}")
        assert "oc.env" in said
        refused(capsys, "-m", "seed=1,${evil:}")
        refused(capsys, "hydra.run.dir=${evil:}")
        assert not called
        assert OmegaConf.create({"a": "${evil:}"}).a is None  # the program's own are back
    finally:
        OmegaConf.clear_resolver("evil")


def test_the_ui_is_for_this_computer_unless_it_is_said_otherwise(capsys):
    with pytest.raises(UsageError, match=r"others can reach it.*\n--allow-remote"):
        ui.main(["--host", "0.0.0.0"])
    for host in ("127.0.0.1", "localhost", "127.0.0.2"):
        ui.check_host(host, allowed=False)
    assert capsys.readouterr().err == ""
    ui.check_host("0.0.0.0", allowed=True)
    assert "warning: --host 0.0.0.0: others can reach it" in capsys.readouterr().err
