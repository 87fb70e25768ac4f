"""One step of a DCGAN, in TensorFlow and in JAX: the only file whose code depends on Keras' backend.

Both follow Goodfellow 2014 (arXiv:1406.2661, algorithm 1) with the non-saturating generator loss of its section 3: the
discriminator learns to distinguish real from generated images, then the generator learns from its new weights, on the same
samples.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from pneumo_core.training.device import Device
from pneumo_core.training.diff_augment import apply_changes

LOSSES = ("loss_generator", "loss_discriminator", "score_real", "score_generated")
"""Names of a step's results: both losses, and the discriminator's mean probability of "real" for real and generated images."""


@dataclass(frozen=True, slots=True, eq=False)
class Networks:
    """The networks of a training, their optimizers, and whether the discriminator sees changed images.

    `averaged`, the generator with weights averaged by `ema_decay` per step, gives the samples; it may be `generator` itself.
    """

    generator: keras.Model
    averaged: keras.Model
    discriminator: keras.Model
    generator_optimizer: keras.optimizers.Adam
    discriminator_optimizer: keras.optimizers.Adam
    ema_decay: float
    diff_augment: bool

    @property
    def variables(self) -> list[Any]:
        """All variables that a step changes, in a fixed order."""
        averaged = [] if self.averaged is self.generator else self.averaged.variables
        return [
            *self.generator.variables,
            *averaged,
            *self.discriminator.variables,
            *self.generator_optimizer.variables,
            *self.discriminator_optimizer.variables,
        ]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A compiled step.

    Attributes:
        run: Takes real images `(batch, size, size, 1)` float32 in [0, 255], latents `(batch, latent_dim)` and changes
            `(3, batch, 6)` for the real images, for the generated ones and for the generator's update; returns four scalars,
            `LOSSES`.
        write_back: Copies the trained values to the networks' variables.
    """

    run: Callable[[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]], Any]
    write_back: Callable[[], None]


def make_step(networks: Networks, device: Device) -> Step:
    """The step of the device's backend for networks whose optimizers are built."""
    return _jax_step(networks) if device.backend == "jax" else _tensorflow_step(networks)


def _cross_entropy(logits: Any, real: float) -> Any:
    return ops.mean(ops.softplus(-logits if real else logits))


def _seen(images: Any, changes: Any, networks: Networks) -> Any:
    return apply_changes(images, changes) if networks.diff_augment else images


def _tensorflow_step(networks: Networks) -> Step:
    import tensorflow as tf  # noqa: PLC0415  Only there.

    generator, discriminator = networks.generator, networks.discriminator

    @tf.function(autograph=False)
    def run(real: Any, latents: Any, changes: Any) -> Any:
        with tf.GradientTape() as generator_tape:
            generated = generator(latents, training=True)
            with tf.GradientTape() as tape:
                on_real = discriminator(_seen(real, changes[0], networks), training=True)
                fixed = tf.stop_gradient(generated)
                on_generated = discriminator(_seen(fixed, changes[1], networks), training=True)
                loss_discriminator = _cross_entropy(on_real, 1.0) + _cross_entropy(on_generated, 0.0)
            weights = discriminator.trainable_variables
            networks.discriminator_optimizer.apply(tape.gradient(loss_discriminator, weights), weights)
            logits = discriminator(_seen(generated, changes[2], networks), training=True)
            loss_generator = _cross_entropy(logits, 1.0)
        weights = generator.trainable_variables
        networks.generator_optimizer.apply(generator_tape.gradient(loss_generator, weights), weights)
        if networks.averaged is not generator:
            for mean, variable in zip(networks.averaged.variables, generator.variables, strict=True):
                mean.assign(networks.ema_decay * mean + (1 - networks.ema_decay) * variable)
        return loss_generator, loss_discriminator, *map(_score, (on_real, on_generated))

    return Step(run, lambda: None)


def _score(logits: Any) -> Any:
    return ops.mean(ops.sigmoid(logits))


def _jax_step(networks: Networks) -> Step:
    import jax  # noqa: PLC0415  Only there.

    generator, averaged, discriminator = networks.generator, networks.averaged, networks.discriminator
    parts = (
        generator.trainable_variables,
        generator.non_trainable_variables,
        discriminator.trainable_variables,
        discriminator.non_trainable_variables,
        networks.generator_optimizer.variables,
        networks.discriminator_optimizer.variables,
        [] if averaged is generator else [*averaged.trainable_variables, *averaged.non_trainable_variables],
    )
    compiled = jax.jit(partial(_jax_update, networks), donate_argnums=0)
    state: Any = None

    def run(real: Any, latents: Any, changes: Any) -> Any:
        nonlocal state
        if state is None:  # Copies: a step frees the memory of its inputs.
            state = tuple([jax.numpy.array(variable.value) for variable in part] for part in parts)
        state, losses = compiled(state, real, latents, changes)
        return losses

    def write_back() -> None:
        nonlocal state
        for part, values in zip(parts, state or (), strict=False):
            for variable, value in zip(part, values, strict=True):
                variable.assign(value)
        state = None  # The variables hold the state now; the next step reads it from them.

    return Step(run, write_back)


def _jax_update(networks: Networks, state: Any, real: Any, latents: Any, changes: Any) -> Any:
    """The step as a function of its state, which is the values of `_jax_step`'s parts: the next state, and the losses."""
    import jax  # noqa: PLC0415  Only there.

    g_weights, g_others, d_weights, d_others, g_state, d_state, means = state

    def generate(weights: Any) -> Any:
        return networks.generator.stateless_call(weights, g_others, latents, training=True)

    def discriminate(weights: Any, others: Any, images: Any, changes: Any) -> Any:
        return networks.discriminator.stateless_call(weights, others, _seen(images, changes, networks), training=True)

    generated, pull_back, g_others = jax.vjp(generate, g_weights, has_aux=True)

    def discriminator_loss(weights: Any) -> Any:
        on_real, others = discriminate(weights, d_others, real, changes[0])
        on_generated, others = discriminate(weights, others, generated, changes[1])
        loss = _cross_entropy(on_real, 1.0) + _cross_entropy(on_generated, 0.0)
        return loss, (others, _score(on_real), _score(on_generated))

    (loss_d, (d_others, *scores)), gradients = jax.value_and_grad(discriminator_loss, has_aux=True)(d_weights)
    d_weights, d_state = networks.discriminator_optimizer.stateless_apply(d_state, gradients, d_weights)

    def generator_loss(images: Any) -> Any:
        logits, others = discriminate(d_weights, d_others, images, changes[2])
        return _cross_entropy(logits, 1.0), others

    (loss_g, d_others), gradient = jax.value_and_grad(generator_loss, has_aux=True)(generated)
    (gradients,) = pull_back(gradient)
    g_weights, g_state = networks.generator_optimizer.stateless_apply(g_state, gradients, g_weights)
    decay = networks.ema_decay
    values = [*g_weights, *g_others] if means else []
    means = [decay * mean + (1 - decay) * value for mean, value in zip(means, values, strict=True)]
    return (g_weights, g_others, d_weights, d_others, g_state, d_state, means), (loss_g, loss_d, *scores)
