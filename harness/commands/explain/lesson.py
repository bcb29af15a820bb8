"""The text of the lesson on one training step: sections of prose, formulas and numbers."""

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from harness.commands.explain.chain import Layer, layer_chain
from harness.commands.explain.step import SHIFT, Step
from harness.contracts import Array
from harness.store.params import format_value

MAX_TERMS = 4  # of a sum that is written out


class Equation(NamedTuple):
    """A formula in TeX, and its value."""

    tex: str
    value: Array | float
    note: str = ""
    whole: bool = False  # show all rows if they are few, and the last row always


class Section(NamedTuple):
    """A section of the lesson: prose and equations under a title."""

    title: str
    parts: list[str | Equation]


def write_lesson(step: Step) -> list[Section]:
    """Return the lesson: data, weights, forward pass, loss, backward pass, update and result."""
    layers = layer_chain(step)
    forward = _forward(step, layers) if layers else _prediction(step)
    backward = _backward(step, layers) if layers else _gradients(step)
    return [
        Section("The data", [*_data(step)]),
        Section("The initial weights", [*_weights(step, dense=layers is not None)]),
        Section("Forward: from the examples to a prediction", [*forward]),
        Section("The loss", [*_loss(step)]),
        Section("Backward: the chain rule", [*backward]),
        Section("The update", [*_update(step)]),
        Section("The loss after the step", [*_loss_after(step)]),
    ]


def plugin_formula(plugin: Any) -> str:
    """Return the first line of a plugin's docstring, and the values of its fields."""
    formula = (inspect.getdoc(plugin) or "").partition("\n")[0]
    fields = ", ".join(f"{key} = {format_value(value)}" for key, value in vars(plugin).items())
    return formula + (f" Here {fields}." if fields else "")


def _data(step: Step) -> Iterator[str | Equation]:
    member, data = step.member, step.prepared.data
    rows = len(step.prepared.rows["train"])
    batch = f"the first of {step.batches} batches" if step.batches > 1 else "the full batch"
    yield f"{rows} examples to train on, {step.x.shape[1]} features; {batch} has {len(step.x)}."
    scaling = step.prepared.scaling
    for what, mean, scale in (("x", *scaling[:2]), ("y", *scaling[2:])):
        if np.any(mean != 0) or np.any(scale != 1):
            yield f"{what} is standardised: minus its mean, divided by its standard deviation."
    if data.task == "classification":
        yield f"The classes, {', '.join(data.class_names)}, are in y as the loss needs them."
    yield Equation("x", step.x, ", ".join(data.feature_names))
    yield Equation("y", step.y, ", ".join(data.target_names))
    yield f"All numbers are {member.dtype}."


def _weights(step: Step, dense: bool) -> Iterator[str | Equation]:
    yield plugin_formula(step.member.initializer)
    if dense:
        yield "A layer has a row for each of its inputs; the last row holds its biases."
    for k, w in enumerate(step.weights, 1):
        yield Equation(f"W_{{{k}}}", w, whole=True)


def _prediction(step: Step) -> Iterator[str | Equation]:
    yield "The computation of each layer is shown for dense nets only; this net is not dense."
    yield plugin_formula(step.member.model)
    yield Equation(r"\hat{y}", step.prediction)


def _forward(step: Step, layers: Sequence[Layer]) -> Iterator[str | Equation]:
    name = _activation(step)
    yield "A column of ones makes the last row of W the biases."
    if len(layers) > 1:
        yield f"{name}: {plugin_formula(step.member.activation)}"
    for k, layer in enumerate(layers[:-1], 1):
        yield Equation(rf"z_{{{k}}} = [{_below(k)}\ 1]\, W_{{{k}}}", layer.z)
        if k == 1:
            yield f"The first of these: {_product(layer)}."
        yield Equation(rf"h_{{{k}}} = \mathrm{{{name}}}(z_{{{k}}})", layer.h)
    last = len(layers)
    yield Equation(rf"\hat{{y}} = [{_below(last)}\ 1]\, W_{{{last}}}", step.prediction)
    if last == 1:
        yield f"The first of these: {_product(layers[0])}."


def _activation(step: Step) -> str:
    name: str = step.config["activation"]["name"]
    return name.rpartition("/")[2]


def _below(k: int) -> str:
    """Return the symbol that the weights of layer k multiply: h of the layer below, or x."""
    return f"h_{{{k - 1}}}" if k > 1 else "x"


def _product(layer: Layer) -> str:
    """Write out z of the first unit for the first example."""
    inputs = [*layer.inputs[0], 1.0]
    pairs = zip(inputs, layer.weights[:, 0], strict=True)
    return _sum([(f"{x:.4g}", f"{w:.4g}") for x, w in pairs], float(layer.z[0, 0]))


def _sum(terms: Sequence[tuple[str, str]], value: float) -> str:
    """Return `a·b + c·d + … = value`."""
    shown = [*terms] if len(terms) <= MAX_TERMS else [*terms[: MAX_TERMS - 1]]
    text = " + ".join(f"{_signed(a)}·{_signed(b)}" for a, b in shown)
    more = f" + … ({len(terms)} terms)" if len(shown) < len(terms) else ""
    return f"{text}{more} = {value:.4g}"


def _signed(text: str) -> str:
    return f"({text})" if text.startswith("-") else text


def _loss(step: Step) -> Iterator[str | Equation]:
    yield plugin_formula(step.member.loss)
    l1, l2 = step.member.l1, step.member.l2
    if l1 or l2:
        yield f"It includes the penalty l1 Σ|w| + ½ l2 Σw² with l1 = {l1:g}, l2 = {l2:g}."
    yield Equation("L", step.loss)


def _backward(step: Step, layers: Sequence[Layer]) -> Iterator[str | Equation]:
    last, name = len(layers), _activation(step)
    yield (
        "δ stands for ∂L/∂z, the change of the loss when z of a unit changes. It starts at the "
        "prediction, and each layer passes it to the layer below."
    )
    yield Equation(rf"\delta_{{{last}}} = \frac{{\partial L}}{{\partial \hat{{y}}}}", step.delta)
    for k in range(last, 0, -1):
        layer = layers[k - 1]
        if k < last:
            w = f"{k + 1}"
            above = rf"\frac{{\partial L}}{{\partial h_{{{k}}}}}"
            note = "without the bias row of W: the ones depend on no weights"
            yield Equation(rf"{above} = \delta_{{{w}}}\, W_{{{w}}}^\top", layer.above, note)
            yield Equation(rf"\mathrm{{{name}}}^\prime(z_{{{k}}})", layer.slope)
            tex = rf"\delta_{{{k}}} = {above} \odot \mathrm{{{name}}}^\prime(z_{{{k}}})"
            yield Equation(tex, layer.delta)
        tex = rf"{_gradient(k)} = {{[{_below(k)}\ 1]}}^\top\, \delta_{{{k}}}"
        yield Equation(tex, layer.gradient, whole=True)
    yield f"The first of these, summed over the examples: {_gradient_sum(layers[0])}."
    yield from _measured(step)


def _gradient(k: int) -> str:
    return rf"\frac{{\partial L}}{{\partial W_{{{k}}}}}"


def _gradient_sum(layer: Layer) -> str:
    """Write out the gradient of the first weight."""
    pairs = zip(layer.inputs[:, 0], layer.delta[:, 0], strict=True)
    return _sum([(f"{x:.4g}", f"{d:.3g}") for x, d in pairs], float(layer.gradient[0, 0]))


def _gradients(step: Step) -> Iterator[str | Equation]:
    yield "The gradient of the loss by the prediction, and the model's gradient by its weights:"
    yield Equation(r"\frac{\partial L}{\partial \hat{y}}", step.delta)
    for k, gradient in enumerate(step.raw, 1):
        yield Equation(_gradient(k), gradient, whole=True)
    yield from _measured(step)


def _measured(step: Step) -> Iterator[str | Equation]:
    """Yield the measured slope of the loss along the first weight, for comparison."""
    member = step.member
    penalised = bool(member.l1 or member.l2)
    if step.measured is not None and not penalised:
        yield (
            f"Without any calculus: moving the first weight by {SHIFT:g} both ways moves the loss "
            f"at a slope of {step.measured:.6g}; the chain rule says {step.raw[0].flat[0]:.6g}."
        )


def _update(step: Step) -> Iterator[str | Equation]:
    member = step.member
    if any(not np.array_equal(a, b) for a, b in zip(step.raw, step.gradient, strict=True)):
        yield "With penalty and clipping the optimizer gets another gradient, g:"
        for k, gradient in enumerate(step.gradient, 1):
            yield Equation(f"g_{{{k}}}", gradient, whole=True)
    yield f"{plugin_formula(member.optimizer)} The schedule: {plugin_formula(member.schedule)}"
    for k, (change, after) in enumerate(zip(step.change, step.after, strict=True), 1):
        yield Equation(rf"\Delta W_{{{k}}}", change, whole=True)
        tex = rf"W_{{{k}}} \leftarrow W_{{{k}}} + \Delta W_{{{k}}}"
        yield Equation(tex, after, whole=True)


def _loss_after(step: Step) -> Iterator[str | Equation]:
    where = "on the same batch" if step.batches > 1 else "on the same examples"
    yield f"The loss with the new weights, {where}:"
    yield Equation("L", step.loss_after)
    change = step.loss_after - step.loss
    yield f"It was {step.loss!r}: a change of {change:.6g}."
