"""A DCGAN's compiled step against one written plainly, and JAX' against TensorFlow's."""

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from pneumo_core.config.classifier import Preset
from pneumo_core.config.gan import GanConfig, gan_config
from pneumo_core.training.device import detect
from pneumo_core.training.diff_augment import apply_changes, draw_changes
from pneumo_core.training.gan import build_networks
from pneumo_core.training.gradients import LOSSES, Networks, make_step
from tests.waiting import PATIENCE_S

STEPS = 2  # The second has momentum, moved statistics and an average that differs.
BATCH = 6
RATE = 2e-4

_SMALL = gan_config(
    Preset.SOUND, filters=4, latent_dim=8, generator_learning_rate=RATE, discriminator_learning_rate=RATE
)
CONFIGS = {
    "plain": replace(_SMALL, diff_augment=False, ema_decay=0.0),
    "all": replace(_SMALL, diff_augment=True, ema_decay=0.9, spectral_norm=True),
}

Found = dict[str, NDArray[Any]]


def networks_of(config: GanConfig) -> Networks:
    """In float32, whatever is fastest here."""
    return build_networks(config, replace(detect(), precision="float32"))


def inputs() -> Iterator[tuple[NDArray[np.float32], ...]]:
    """Real images, latents and changes of each step."""
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        real = rng.uniform(0, 255, (BATCH, 64, 64, 1)).astype(np.float32)
        latents = rng.standard_normal((BATCH, 8), dtype=np.float32)
        yield real, latents, np.stack([draw_changes(rng, BATCH, 64) for _ in range(3)])


def stepped(config: GanConfig, initial: Found) -> Found:
    """Losses of each step, and every variable after the last."""
    networks = networks_of(config)
    if initial:
        for number, variable in enumerate(networks.variables):
            variable.assign(initial[f"v{number}"])
    step = make_step(networks, detect())
    losses = [[float(value) for value in step.run(*given)] for given in inputs()]
    step.write_back()
    return {"losses": np.array(losses), **values(networks)}


def values(networks: Networks) -> Found:
    arrays = [keras.ops.convert_to_numpy(variable) for variable in networks.variables]
    return {f"v{number}": array.copy() for number, array in enumerate(arrays)}


@pytest.fixture(scope="module", params=CONFIGS)
def case(request: pytest.FixtureRequest) -> tuple[str, Found, Found]:
    """A config's name, its networks' variables, and what the compiled steps make of them."""
    keras.config.set_dtype_policy("float32")
    initial = values(networks_of(CONFIGS[request.param]))
    return request.param, initial, stepped(CONFIGS[request.param], initial)


# --- Plainly ----------------------------------------------------------------------------------------------------------


def probability(logits: Any) -> float:
    """Mean probability of "real"."""
    return float((1 / (1 + np.exp(-logits.numpy().astype(np.float64)))).mean())


def plain_step(networks: Networks, optimizers: list[Any], given: tuple[NDArray[np.float32], ...]) -> dict[str, float]:
    """One step by the paper, without a graph: first the discriminator's turn, then the generator's."""
    import tensorflow as tf

    real, latents, changes = given
    generator, discriminator = networks.generator, networks.discriminator
    entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    yes, no = np.ones((BATCH, 1)), np.zeros((BATCH, 1))
    before = [variable.numpy() for variable in generator.non_trainable_variables]

    def seen(images: Any, number: int) -> Any:
        return apply_changes(images, changes[number]) if networks.diff_augment else images

    def learn(tape: Any, loss: Any, network: keras.Model, optimizer: Any) -> None:
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))

    generated = generator(latents, training=True).numpy()
    with tf.GradientTape() as tape:
        on_real = discriminator(seen(real, 0), training=True)
        on_generated = discriminator(seen(generated, 1), training=True)
        loss_discriminator = entropy(yes, on_real) + entropy(no, on_generated)
    learn(tape, loss_discriminator, discriminator, optimizers[1])

    for variable, value in zip(generator.non_trainable_variables, before, strict=True):
        variable.assign(value)  # The same samples once more, but their statistics count once.
    with tf.GradientTape() as tape:
        loss_generator = entropy(yes, discriminator(seen(generator(latents, training=True), 2), training=True))
    learn(tape, loss_generator, generator, optimizers[0])
    return {
        "loss_generator": float(loss_generator),
        "loss_discriminator": float(loss_discriminator),
        "score_real": probability(on_real),
        "score_generated": probability(on_generated),
    }


def test_steps_are_those_of_a_plain_implementation(case: tuple[str, Found, Found]) -> None:
    name, initial, found = case
    networks = networks_of(CONFIGS[name])
    mine = networks.generator, networks.discriminator
    optimizers = [keras.optimizers.Adam(RATE, beta_1=0.5) for _ in mine]
    for optimizer, network in zip(optimizers, mine, strict=True):
        optimizer.build(network.trainable_variables)
    for number, variable in enumerate(networks.variables):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), initial[f"v{number}"])
    averages = [variable.numpy() for variable in networks.generator.variables]
    decay = CONFIGS[name].ema_decay
    for row, given in zip(found["losses"], inputs(), strict=True):
        expected = plain_step(networks, optimizers, given)
        assert dict(zip(LOSSES, row, strict=True)) == pytest.approx(expected, rel=1e-4)
        averages = [
            decay * average + (1 - decay) * variable.numpy()
            for average, variable in zip(averages, networks.generator.variables, strict=True)
        ]
    expected_arrays = [
        *(variable.numpy() for variable in networks.generator.variables),
        *(averages if decay else ()),
        *(variable.numpy() for variable in networks.discriminator.variables),
        *(variable.numpy() for optimizer in optimizers for variable in optimizer.variables),
    ]
    assert len(expected_arrays) == len(found) - 1
    assert_same(found, {f"v{number}": array for number, array in enumerate(expected_arrays)})


def assert_same(found: Found, expected: Found) -> None:
    """Within float32's rounding, of which Adam makes up to a part of its rate where a gradient is near 0."""
    for name, array in expected.items():
        scale = float(np.abs(array).max(initial=0))
        np.testing.assert_allclose(
            found[name], array, rtol=1e-3, atol=min(0.1 * RATE, 1e-3 * scale), err_msg=f"{name}, {array.shape}"
        )


def test_everything_that_can_learn_does(case: tuple[str, Found, Found]) -> None:
    _, initial, found = case
    still = [name for name, array in initial.items() if np.array_equal(array, found[name])]
    assert [initial[name].shape for name in still] == [(), ()]  # Both learning rates, and nothing else.
    np.testing.assert_allclose([initial[name] for name in still], RATE, rtol=1e-6)


def test_without_an_average_there_is_one_generator() -> None:
    plain, averaging = (networks_of(CONFIGS[name]) for name in ("plain", "all"))
    assert plain.averaged is plain.generator
    assert averaging.averaged is not averaging.generator
    for first, second in zip(averaging.generator.variables, averaging.averaged.variables, strict=True):
        assert first is not second
        np.testing.assert_array_equal(first.numpy(), second.numpy())
    assert len({id(variable) for variable in averaging.variables}) == len(averaging.variables)
    assert len({id(variable) for variable in plain.variables}) == len(plain.variables)


# --- JAX --------------------------------------------------------------------------------------------------------------


def step_all(folder: Path) -> None:
    """Make this process' backend step from the variables in a folder, and write what it finds."""
    for name, config in CONFIGS.items():
        np.savez(folder / f"{name}-found.npz", **stepped(config, dict(np.load(folder / f"{name}.npz"))))


@pytest.fixture(scope="module")
def jax_found(jax: Executor, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    keras.config.set_dtype_policy("float32")
    folder = tmp_path_factory.mktemp("steps")
    for name, config in CONFIGS.items():
        np.savez(folder / f"{name}.npz", **values(networks_of(config)))
    jax.submit(step_all, folder).result(PATIENCE_S)
    return {name: dict(np.load(folder / f"{name}-found.npz")) for name in CONFIGS}


@pytest.mark.jax
def test_jax_steps_as_tensorflow_does(case: tuple[str, Found, Found], jax_found: dict[str, Found]) -> None:
    name, _, found = case
    assert set(jax_found[name]) == set(found)
    np.testing.assert_allclose(jax_found[name]["losses"], found["losses"], rtol=1e-4)
    theirs, ours = ({key: array for key, array in side.items() if key != "losses"} for side in (jax_found[name], found))
    assert_same(theirs, ours)
