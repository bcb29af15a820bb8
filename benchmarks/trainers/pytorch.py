"""PyTorch as a contender, on one thread: one net in eager mode, and many by torch.func's vmap."""

import numpy as np
import torch
from torch.func import grad, vmap

from benchmarks.tasks import Case, Start, orders, starts
from benchmarks.trainers import Trained, timed

Tensors = list[torch.Tensor]


def prepared(case: Case, runs: int, epochs: int, dtype: str):
    """Return data, stacked weights and batch orders as tensors."""
    torch.set_num_threads(1)
    begun = starts(case, runs, dtype)
    x, y = torch.tensor(begun[0].x), torch.tensor(begun[0].y)
    layers = zip(*(start.weights for start in begun), strict=True)
    weights = [torch.tensor(np.stack(layer)) for layer in layers]
    order = torch.tensor(np.stack([orders(start, epochs) for start in begun]))
    return x, y, weights, order


def loss_of(case: Case, prediction: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the loss function of a task."""
    if case.task.loss == "mse":
        return 0.5 * torch.nn.functional.mse_loss(prediction, y)
    return torch.nn.functional.cross_entropy(prediction, y)


def module(case: Case, weights: list[np.ndarray]) -> torch.nn.Sequential:
    """Return the net as users of PyTorch write it."""
    layers: list[torch.nn.Module] = []
    for w in weights:
        linear = torch.nn.Linear(w.shape[0] - 1, w.shape[1], dtype=torch.tensor(w).dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(w[:-1].T))
            linear.bias.copy_(torch.tensor(w[-1]))
        hidden = torch.nn.Sigmoid() if case.task.activation == "sigmoid" else torch.nn.Tanh()
        layers += [linear, hidden]
    return torch.nn.Sequential(*layers[:-1])


def eager(case: Case, runs: int, epochs: int, dtype: str, _: float = 0.0) -> Trained:
    """Train one net, as in PyTorch's tutorials."""
    torch.set_num_threads(1)

    [start] = starts(case, runs, dtype)
    order = orders(start, epochs)

    def ready():
        net = module(case, start.weights)
        return lambda: eagerly(case, net, start, order)

    seconds, net = timed(ready, fresh=True)
    linear = [layer for layer in net if isinstance(layer, torch.nn.Linear)]
    weights = [np.vstack([m.weight.detach().T, m.bias.detach()[None]]) for m in linear]
    return Trained(seconds, runs, epochs, weights)


def eagerly(case: Case, net: torch.nn.Sequential, start: Start, order: np.ndarray):
    """Train in eager mode."""
    x, y, task = torch.tensor(start.x), torch.tensor(start.y), case.task
    kind = torch.optim.SGD if task.optimizer == "sgd" else torch.optim.Adam
    optimizer = kind(net.parameters(), lr=task.rate)
    for epoch in torch.tensor(order):
        for at in epoch.split(task.size) if task.size else [slice(None)]:
            optimizer.zero_grad()
            loss_of(case, net(x[at]), y[at]).backward()
            optimizer.step()
    return net


def stacked(case: Case, runs: int, epochs: int, dtype: str, _: float = 0.0) -> Trained:
    """Train many nets by vmap over their weights and batches."""
    x, y, first, order = prepared(case, runs, epochs, dtype)
    act = torch.sigmoid if case.task.activation == "sigmoid" else torch.tanh

    def loss(weights: Tensors, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        for w in weights[:-1]:
            x = act(x @ w[:-1] + w[-1])
        return loss_of(case, x @ weights[-1][:-1] + weights[-1][-1], y)

    def ready():
        weights = [layer.clone() for layer in first]
        return lambda: together(case, vmap(grad(loss)), vmap(grad(loss), (0, None, None)), weights)

    def together(case: Case, each, shared, weights: Tensors) -> Tensors:
        state = [(torch.zeros_like(w), torch.zeros_like(w)) for w in weights]
        count, size = 0, case.task.size
        for epoch in order.unbind(1):
            for at in epoch.split(size, dim=1) if size else [None]:
                count += 1
                gradients = shared(weights, x, y) if at is None else each(weights, x[at], y[at])
                update(case, weights, gradients, state, count)
        return weights

    seconds, weights = timed(ready, fresh=True)
    return Trained(seconds, runs, epochs, [w[0].numpy() for w in weights])


def update(case: Case, weights: Tensors, gradients: Tensors, state, count: int) -> None:
    """Update the weights in place by one step of gradient descent or Adam."""
    rate = case.task.rate
    for w, g, (mean, square) in zip(weights, gradients, state, strict=True):
        if case.task.optimizer == "sgd":
            w.sub_(g, alpha=rate)
            continue
        mean.mul_(0.9).add_(g, alpha=0.1)
        square.mul_(0.999).addcmul_(g, g, value=0.001)
        root = (square / (1 - 0.999**count)).sqrt_().add_(1e-8)
        w.addcdiv_(mean, root, value=-rate / (1 - 0.9**count))
