"""`harness explain`: one step with all its numbers, which are those of the training loop."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from harness.commands.explain import net_title
from harness.commands.explain.chain import layer_chain
from harness.commands.explain.formula import parse_tex, to_mathml, to_text
from harness.commands.explain.step import take_step
from harness.engines.worker import train_stack
from tests.conftest import make_config
from tests.support.commands import harness, refused

NETS = {
    "mlp": {"model__hidden": [3, 2]},
    "adam": {"optimizer": {"name": "adam"}, "schedule": {"name": "cosine"}},
    "penalty": {"penalty": {"l1": 0.01, "l2": 0.1}, "clip": {"value": 0.01, "norm": 0.02}},
    "float32": {"dtype": "float32"},
    "linear": {"model": {"name": "linear"}},
    "iris": {"dataset": {"name": "iris"}, "loss": {"name": "softmax_cross_entropy"}},
    "dropout": {"model__dropout": 0.5},
    "layer_norm": {"model__layer_norm": True},
    "residual": {"model": {"name": "residual_mlp"}},
    "rbf": {"model": {"name": "rbf"}},
}
DENSE = ("mlp", "adam", "penalty", "float32", "linear", "iris")


def explained(capsys, *arguments):
    code, out, err = harness(capsys, "explain", *arguments)
    assert (code, err) == (0, "")
    return out


@pytest.mark.parametrize("net", NETS)
def test_its_numbers_are_bit_for_bit_those_of_training(net):
    config = make_config(epochs=1, validation=0.0, **NETS[net])
    step = take_step(
        config | {"objective": {"metric": "train/best_loss", "direction": "minimize"}}
    )
    *_, [result] = train_stack(["it"], [config])
    assert result.outcome == "ok"
    assert result.curves["train/loss"].values.tolist() == [step.loss, step.loss_after]
    for ours, theirs in zip(step.after, result.weights, strict=True):
        assert np.array_equal(ours, theirs)


def test_a_strangers_hidden_layers_may_be_one_number():
    config = make_config()
    step = take_step(config)
    step = step._replace(member=replace(step.member, model=SimpleNamespace(hidden=5)))
    assert net_title(step, config).startswith("One training step: mlp 2-5-1, ")


@pytest.mark.parametrize("net", NETS)
def test_the_chain_is_shown_where_its_formulas_give_what_the_model_gave(net):
    step = take_step(make_config(**NETS[net]))
    layers = layer_chain(step)
    assert (layers is not None) == (net in DENSE)
    if layers is not None:
        rtol = 1e-4 if net == "float32" else 1e-10
        for layer, gradient in zip(layers, step.raw, strict=True):
            assert np.allclose(layer.gradient, gradient, rtol, rtol)
    measurable = net not in ("float32", "dropout")
    assert (step.measured is not None) == measurable
    if measurable and net != "penalty":
        assert step.measured == pytest.approx(step.raw[0].flat[0], rel=1e-4, abs=1e-9)


def test_of_mini_batches_it_is_the_first():
    config = make_config(batch_size=16)
    step = take_step(config)
    rng = np.random.default_rng([3, config["seed"]])
    x, y = step.prepared.ready("train", "regression", "float64")
    first = rng.permutation(len(x))[:16]
    assert np.array_equal(step.x, x[first])
    assert np.array_equal(step.y, y[first])
    assert step.batches == 3
    everything = take_step(make_config(batch_size=None))
    assert everything.batches == 1
    assert len(everything.x) == 48


def test_the_notebooks_step_has_the_notebooks_numbers(workplace, capsys):
    out = explained(capsys, "experiment=notebook")
    assert "  L = 0.8242660887048511\n" in out
    assert "  L = 0.8233901899350584\n" in out
    for line in (
        "z₁ = [x 1] W₁", "h₁ = sigmoid(z₁)", "ŷ = [h₁ 1] W₂", "δ₂ = ∂L/∂ŷ",
        "∂L/∂W₂ = [h₁ 1]ᵀ δ₂", "∂L/∂h₁ = δ₂ W₂ᵀ", "δ₁ = ∂L/∂h₁ ⊙ sigmoid′(z₁)",
        "∂L/∂W₁ = [x 1]ᵀ δ₁", "W₁ ← W₁ + ΔW₁",
    ):  # fmt: skip
        assert f"\n  {line} " in out
    assert "L = ½ mean (ŷ - y)²" in out
    assert re.search(r"a slope of -0\.00607834; the\s+chain rule says -0\.00607834", out)
    assert [*workplace.iterdir()] == []


def test_it_fits_a_terminal_and_large_matrices_are_cut(workplace, capsys, monkeypatch):
    large = ("dataset=digits", "loss=softmax_cross_entropy", "model.hidden=[30,20]")
    out = explained(capsys, *large, "--rows", "2", "optimizer=adam")
    assert max(map(len, out.splitlines())) <= 80
    assert "(65 × 30)" in out
    assert out.count("…") > 20
    monkeypatch.setenv("COLUMNS", "30")
    narrow = explained(capsys, "--rows=1")
    prose = [line for line in narrow.splitlines() if not re.match("  |[0-9-]", line)]
    assert max(map(len, prose)) <= 30


def test_other_kinds_of_nets_are_shown_from_outside(workplace, capsys):
    out = explained(capsys, "model=residual_mlp")
    assert "is shown for dense nets only; this net is not dense" in " ".join(out.split())
    assert "∂L/∂W₂" in out
    assert "z₁" not in out
    assert "(2 × 17 × 16)" in out


def test_the_page_is_whole_in_itself_and_its_formulas_are_set(workplace, browser, capsys):
    dots = ("model.hidden=[9,3]", "activation=leaky_relu", "data_seed=7")
    assert "page: " in explained(capsys, *dots, "--html", "it.html")
    assert "://" not in (workplace / "it.html").read_text()
    page, asked = browser.new_page(viewport={"width": 900, "height": 800}), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((workplace / "it.html").as_uri())
    assert len(asked) == 1
    assert page.title() == "One training step: mlp 2-9-3-1, surface, leaky_relu, mse, sgd"
    assert page.locator("h2").count() == 7
    assert page.locator("merror").count() == 0
    fractions = page.locator("mfrac").first.bounding_box()
    assert fractions["height"] > 25
    assert page.evaluate("document.documentElement.scrollWidth") <= 900
    page.close()


def test_the_markdown_has_every_formula_as_tex(workplace, capsys):
    explained(capsys, "experiment=notebook", "--markdown", "it.md", "--html", "it.html")
    text = (workplace / "it.md").read_text()
    assert text.count("$$") == 2 * (workplace / "it.html").read_text().count("<math")
    assert (
        r"\frac{\partial L}{\partial W_{1}} = {[x\ 1]}^\top\, \delta_{1} = \begin{pmatrix}" in text
    )
    assert "L = 0.8233901899350584\n$$" in text


@pytest.mark.parametrize(
    ("tex", "text", "math"),
    [
        (r"z_{12}", "z₁₂", '<msub><mi mathvariant="normal">z</mi><mn>12</mn></msub>'),
        (r"W_{1}^\top", "W₁ᵀ", "<msubsup>"),
        (r"\frac{a}{b + c}", "a/(b + c)", "<mfrac>"),
        (r"\hat{y}", "ŷ", "<mover>"),
        (r"\mathrm{leaky_relu}^\prime(z)", "leaky_relu′(z)", "<mi>leaky_relu</mi><mo>′</mo>"),
        (r"10^{-4} \cdot x", "10⁻⁴ · x", "<msup><mn>10</mn><mrow><mo>-</mo><mn>4</mn>"),
    ],
)  # fmt: skip
def test_a_formula_is_written_once(tex, text, math):
    assert to_text(parse_tex(tex)) == text
    assert math in to_mathml(parse_tex(tex))


def test_what_cannot_be_explained_is_told(workplace, capsys):
    assert "there is no 'sigmoyd'" in refused(capsys, "explain", "activation=sigmoyd")
    assert "epochs=0" in refused(capsys, "explain", "epochs=0")
    assert "seed=1,2" in refused(capsys, "explain", "seed=1,2")
    assert "--rows 0: at least 1" in refused(capsys, "explain", "--rows", "0")
    err = refused(capsys, "explain", "--html", "nowhere/it.html")
    assert "/nowhere/it.html: there is no such folder" in err
    (workplace / "mine.md").write_text("my own")
    err = refused(capsys, "explain", "--markdown", "mine.md")
    assert "mine.md: something else is there; --force writes over it" in err
    assert (workplace / "mine.md").read_text() == "my own"
    for more in (["--force"], []):  # the second is written over the first
        explained(capsys, "--markdown", "mine.md", *more)


def test_a_plugin_that_fails_in_it_is_named(workplace, capsys):
    (folder := workplace / "mine" / "activation").mkdir(parents=True)
    (folder / "bad.py").write_text(
        "from dataclasses import dataclass\n\n@dataclass(frozen=True)\nclass Bad:\n"
        "    def __call__(self, z):\n        raise RuntimeError('no')\n\n"
        "    def derivative(self, z, h):\n        return h\n"
    )
    err = refused(capsys, "--plugins", "mine", "explain", "activation=bad")
    assert "activation plugin 'bad'" in err
    assert "RuntimeError: no" in err


def test_a_loss_that_is_not_finite_is_shown_as_it_is(workplace, capsys):
    step = take_step(make_config(optimizer__learning_rate=1e300))
    assert not np.isfinite(step.loss_after)
    explained(capsys, "optimizer.learning_rate=1e300")
