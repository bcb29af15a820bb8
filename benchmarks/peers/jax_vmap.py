"""The expert's script, its nets trained by JAX's vmap in place of a NumPy stack.

python -m benchmarks.peers.jax_vmap RUNS EPOCHS
"""

import numpy as np

from benchmarks import expert
from benchmarks.peers import net


def train(runs: int, epochs: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the learning rate of each run, and its losses (runs, epochs + 1)."""
    import jax
    import jax.numpy as jnp

    x, y = net.data()

    def loss(weights, x, y):
        h = jax.nn.sigmoid(x @ weights[0][:-1] + weights[0][-1])
        return 0.5 * jnp.mean((h @ weights[1][:-1] + weights[1][-1] - y) ** 2)

    def one(weights, rate):
        def step(weights, _):
            value, gradient = jax.value_and_grad(loss)(weights, x, y)
            return [w - rate * g for w, g in zip(weights, gradient, strict=True)], value

        return jax.lax.scan(step, weights, None, epochs + 1)[1]

    jax.config.update("jax_enable_x64", True)
    rates = np.resize(expert.RATES, runs)
    seeds = [np.random.default_rng(seed) for seed in range(runs)]
    first = np.stack([seed.normal(0, 0.1, (3, 4)) for seed in seeds])
    second = np.stack([seed.normal(0, 0.1, (5, 1)) for seed in seeds])
    return rates, np.asarray(jax.jit(jax.vmap(one))([first, second], rates))


if __name__ == "__main__":
    expert.train = train
    expert.main()
