"""A DCGAN's finished run that no training made."""

from typing import Any

import pytest

from pneumo_core.config.classifier import Preset
from pneumo_core.config.gan import gan_config
from pneumo_core.runs.store import RunDirectory, write_manifest
from pneumo_core.runs.submission import RunData, Submission, write_submission


@pytest.fixture(scope="session")
def network() -> Any:
    """An untrained generator of latents of 8 numbers, whose images differ from one another and from gray."""
    import keras

    from pneumo_core.models.dcgan import build_generator

    network = build_generator(image_size=64, latent_dim=8, filters=4, seed=0)
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dense | keras.layers.Conv2DTranspose):
            layer.set_weights([weights * 15 for weights in layer.get_weights()])
    return network


@pytest.fixture(scope="session")
def run(network: Any, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A finished run of this generator; never change its files."""
    from pneumo_core.models.export_generator import export_generator

    run = RunDirectory(tmp_path_factory.mktemp("runs") / "dcgan-0123456789ab")
    write_submission(run, Submission(gan_config(Preset.QUICK), RunData(), 0.0))
    export_generator(network, run.model)
    write_manifest(run, {})
    return run
