"""Settings that cannot be: each is refused before anything is trained or created."""

import pytest

from tests.support.commands import refused

FIELDS = [
    ("activation.slope=1", "activation: there is no 'slope'. Available: none"),
    ("+activation.slope=1", "activation: there is no 'slope'"),
    ("++activation.slope=1", "activation: there is no 'slope'"),
    ("optimizer.learning_rte=1", "optimizer: there is no 'learning_rte'. Did you mean learning"),
    ("foo=1", "config: there is no 'foo'"),
    ("++foo=1", "config: there is no 'foo'"),
    ("epoch=1", "Did you mean epochs"),
    ("hydra.foo=1", "hydra: there is no 'foo'"),
    ("hydra.launcher.foo=1", "hydra.launcher: there is no 'foo'"),
    ("tracking.tags.a=1", "+tracking.tags.a=… adds it"),
    ("activation.name=tanh", "activation.name is fixed: choose another plugin with activation="),
    ("~epochs", "epochs must be given"),
    ("~seed repeats=2", "seed must be given"),
    ("dataset=csv", "dataset.path must be given"),
]
OPTIONS = [
    ("activation=tnah", "activation: there is no 'tnah'. Did you mean tanh?"),
    ("dataset=null", "dataset=null"),
    ("~optimizer", "optimizer: a plugin must be chosen"),
    ("+activation=tanh", "activation"),
    ("++activation=tanh", "activation"),
    ("activation=[tanh,relu]", "activation/relu"),
    ("activation=tanh,relu", "to sweep over these add -m"),
    ("hydra/launcher=foo", "hydra/launcher: there is no 'foo'"),
    ("hydra.sweeper=basic", "hydra/sweeper=basic"),
    ("experiment=foo", "experiment: there is no 'foo'"),
    (
        "loss=bce",
        "loss=bce is for binary and dataset=surface is regression: "
        "choose loss=huber or loss=log_cosh or loss=mae or loss=mse",
    ),
    ("metrics=[r2,roc_auc]", "metrics: roc_auc is not for regression, which this dataset is"),
    ("hydra.sweeper.plan=true", "hydra.sweeper.plan is for sweeps: add -m"),
    ("objective.metric=val/loss", "objective.metric: there is no 'val/loss'. Did you mean"),
]
TYPES = [
    ("epochs=[1,2]", "epochs=[1, 2]: int is expected"),
    ("epochs=", "epochs=: int is expected"),
    ("epochs=nan", "epochs=nan: int is expected"),
    ("optimizer.learning_rate=abc", "optimizer.learning_rate: Value 'abc'"),
    ("optimizer.learning_rate=true", "optimizer.learning_rate: Value 'True'"),
    ("optimizer.learning_rate=null", "optimizer.learning_rate: null is not allowed"),
    ("optimizer.learning_rate=", "optimizer.learning_rate: Value ''"),
    ("++optimizer.learning_rate=abc", "optimizer.learning_rate: Value 'abc'"),
    ("optimizer={learning_rate:abc}", "optimizer.learning_rate: Value 'abc'"),
    ("model.layer_norm=1", "model.layer_norm=1: bool is expected"),
    ("run=null", "run=null: a mapping is expected"),
    ("model.hidden=3", "model.hidden"),
    ("model.hidden=[[1]]", "model.hidden[0]=[1]: int is expected"),
    ("dataset.samples=20.0", "dataset.samples"),
    ("seed=${oc.env:USELESS_NAME}", "'USELESS_NAME' not found"),
    ("seed=${foo}", "seed: Interpolation key 'foo' not found"),
]
RANGES = [
    ("optimizer.learning_rate=-1", "learning_rate must be positive and finite, not -1.0"),
    ("optimizer.learning_rate=inf", "learning_rate must be positive and finite, not inf"),
    ("optimizer.learning_rate=nan", "optimizer.learning_rate=nan: a number is expected"),
    ("epochs=0", "epochs=0: at least 1"),
    ("dataset.samples=1", "leaves none in that part"),
]
LATER = [
    "hydra.job.chdir=true",
]


@pytest.mark.parametrize(("line", "said"), FIELDS + OPTIONS + TYPES + RANGES)
def test_what_cannot_be_is_refused_and_what_can_be_is_said(workplace, capsys, line, said):
    assert said in refused(capsys, *line.split(" "))


@pytest.mark.parametrize("line", LATER)
def test_what_is_not_there_yet_is_refused_for_a_run_and_for_a_sweep(workplace, capsys, line):
    assert "is not available yet" in refused(capsys, line)
    if line.startswith("hydra"):
        assert "is not available yet" in refused(capsys, "-m", "seed=1,2", line)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("-m seed=1,-1", "seed=-1: at least 0\n  in job 1: seed=-1"),
        ("-m activation=tanh,tnah", "Did you mean tanh?"),
        ("-m dataset=surface,null", "dataset=null: choose one of "),
        ("-m foo=1,2", "there is no 'foo'"),
        ("-m optimizer=sgd,adam optimizer.momentum=0.9", "there is no 'momentum'"),
        ("-m loss=mse,bce", "loss=bce is for binary"),
        ("-m seed=range(0)", "the sweep has no runs"),
        ("-m seed=choice()", "empty choice is not legal"),
        ("-m optimizer.learning_rate=interval(0,1)", "hydra/sweeper=optuna searches an interval"),
        ("-m seed=1,2 hydra.launcher.address=here", "engine=serial is on this machine: no addr"),
        ("-m seed=1,2 hydra.launcher.engine=submitit run.timeout=9", "no sign of life"),
        ("-m seed=1,2 hydra.launcher.engine=dask", "hydra.launcher.engine: there is no 'dask'"),
        ("-m seed=1,2 hydra.launcher.engine=ray hydra.launcher.workers=0", "workers=0: at least"),
        ("-m seed=1,2 epochs=1,2,3 hydra.sweeper.zip=[[seed,epochs]]", "as many values of each"),
        ("-m seed=1,2 hydra.sweeper.zip=[[seed,epochs]]", "there is no 'epochs'"),
        ("-m seed=1,2 hydra.sweeper.zip=[[seed,[3]]]", "there is no '[3]'"),
        ("-m seed=1,2 hydra.sweeper.zip=[seed]", "hydra.sweeper.zip: seed: a list of keys"),
        ("-m seed=1,2 hydra.sweeper.exclude=[{sed:1}]", "there is no 'sed'. Did you mean seed"),
        ("-m seed=1,2 hydra.sweeper.exclude=[1]", "a list like [{activation: relu"),
        ("-m seed=1,2 repeats=0", "repeats=0: at least 1"),
        ("-m seed=1,2 hydra.sweep.dir=1,2", "Sweeping over Hydra's configuration"),
        ("-m seed=1,2 hydra.launcher.stack_bytes=0", "stack_bytes=0: at least 1"),
        ("-m seed=1,2 +hydra.job.env_set.A=b", "runs of a stack share one environment"),
        ("seed=range(3)", "requires --multirun"),
    ],
)
def test_a_sweep_with_one_bad_job_is_refused_as_a_whole(workplace, capsys, arguments, said):
    assert said in refused(capsys, *arguments.split(" "))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("seed='", "seed=': quote a value"),
        ("a b=1", "a b=1: 'a b' cannot be a key"),
        ("ünï=1", "ünï=1: 'ünï' cannot be a key"),
        ("=3", "=3: "),
        ("epochs=2 3", "epochs=2 3: int is expected"),
        ("tracking.uri='foo://x=y,z'", "'foo'"),
        ("foo.bar", "'foo.bar' is neither a command nor key=value"),
        ("hydra.verbose=3", "hydra.verbose=3"),
        ("hydra.job.name=a/b", "hydra.job.name=a/b: its log file is called so"),
        ("hydra.job.env_copy=[USELESS_NAME]", "USELESS_NAME"),
    ],
)
def test_strange_overrides_are_refused_by_name(workplace, capsys, line, said):
    assert said in refused(capsys, line)
