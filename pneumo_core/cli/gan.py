"""The DCGAN's commands: ``python -m pneumo_core gan train|sample|evaluate``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pneumo_core.cli.command import Data, Json, RunOrUsual, Wait, Where, follow, group, index_of, named, or_recommended
from pneumo_core.cli.tables import print_tables
from pneumo_core.cli.terminal import note, print_result, progress_line, say_prose
from pneumo_core.config.classifier import Preset
from pneumo_core.config.gan import GAN_SIZES, gan_config, usual_gan_size
from pneumo_core.config.hardware import training_hardware
from pneumo_core.jobs import runs as jobs
from pneumo_core.records import Label
from pneumo_core.runs.store import complete_id, find_run


class GanPreset(StrEnum):
    """The presets of a DCGAN."""

    REPORT = Preset.REPORT.value
    SOUND = Preset.SOUND.value
    QUICK = Preset.QUICK.value


gan_app = group("Train a DCGAN, draw samples from it, and measure them.")


def _setting(words: str) -> Any:
    return typer.Option(help=f"{words}; default: the preset's.")


@gan_app.command("train")
def gan_train(
    preset: Annotated[
        GanPreset, typer.Option(help="Training procedure; docs/commands.md describes each.")
    ] = GanPreset.SOUND,
    data: Data = None,
    label: Annotated[str, typer.Option(help="Class to learn, NORMAL or PNEUMONIA.")] = Label.NORMAL.name,
    image_size: Annotated[
        int | None, typer.Option(help=f"One of {GAN_SIZES} pixels; default: 64 on a CPU, 128 on an accelerator.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    executor: Where = jobs.Executor.LOCAL,
    wait: Wait = False,
    as_json: Json = False,
    epochs: Annotated[int | None, _setting("Epochs")] = None,
    batch_size: Annotated[int | None, _setting("Real images a step")] = None,
    filters: Annotated[int | None, _setting("Filters of the widest maps")] = None,
    latent_dim: Annotated[int | None, _setting("Length of a latent")] = None,
    generator_learning_rate: Annotated[float | None, _setting("Adam's rate")] = None,
    discriminator_learning_rate: Annotated[float | None, _setting("Adam's rate")] = None,
    diff_augment: Annotated[bool | None, _setting("Differentiable augmentation (Zhao 2020)")] = None,
    spectral_norm: Annotated[bool | None, _setting("Spectral normalization (Miyato 2018)")] = None,
    ema_decay: Annotated[float | None, _setting("Moving average of the generator (Yazici 2019), 0 for none")] = None,
    max_images: Annotated[int | None, _setting("Most real images")] = None,
) -> None:
    """Train a DCGAN in the background.

    A finished run of the same settings is returned, not repeated.
    """
    names = [entry.name for entry in Label]
    if label.upper() not in names:
        raise typer.BadParameter(f"one of {', '.join(names)}", param_hint="--label")
    size = usual_gan_size(training_hardware().kind) if image_size is None else image_size
    config = gan_config(
        Preset(preset),
        seed=seed,
        label=Label[label.upper()],
        epochs=epochs,
        image_size=size,
        batch_size=batch_size,
        filters=filters,
        latent_dim=latent_dim,
        generator_learning_rate=generator_learning_rate,
        discriminator_learning_rate=discriminator_learning_rate,
        diff_augment=diff_augment,
        spectral_norm=spectral_norm,
        ema_decay=ema_decay,
        max_images=max_images,
    )
    index, taken = index_of(data)
    view = jobs.submit(config, index, executor=executor)
    follow(view, wait=wait, as_json=as_json, notes=[taken])


@gan_app.command("sample")
def gan_sample(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder to write the samples to.")],
    run: RunOrUsual = None,
    count: Annotated[int, typer.Option(help="Number of samples.")] = 64,
    seed: Annotated[int, typer.Option(help="Random seed; seed and number determine a sample.")] = 0,
    first: Annotated[int, typer.Option(help="Index of the first sample.")] = 0,
    truncation: Annotated[
        float | None,
        typer.Option(help="Largest latent value, in standard deviations, from 0.1 to 4; default: no limit."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write samples as PNG files marked as synthetic.

    A manifest.json beside them names run, seed and files.
    """
    from pneumo_core.inference.samples import sample_to_folder  # noqa: PLC0415

    found = find_run(or_recommended(run, is_gan=True))
    with progress_line("drawing") as progress:
        sample_to_folder(found, out, count=count, seed=seed, first=first, truncation=truncation, progress=progress)
    print_result(
        {"run_id": found.run_id, "out": str(out), "count": count, "seed": seed, "first": first}, as_json=as_json
    )


@gan_app.command("evaluate")
def gan_evaluate(
    run: RunOrUsual = None,
    count: Annotated[
        int | None, typer.Option(help="Number of samples to measure; default: as stored with the run.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the samples to measure; default: as stored with the run.")
    ] = None,
    classifier: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Finished classifier run that scores the measured samples, or its beginning."),
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Measure the quality and variety of a DCGAN's samples.

    Fidelity, diversity and memorization, as stored with the run; with --count, --seed, --classifier or --data, measured
    again.
    """
    from pneumo_core.evaluation.plain import encode  # noqa: PLC0415
    from pneumo_core.inference.gan_measures import measure_gan, read_learned  # noqa: PLC0415
    from pneumo_core.inference.gan_record import read_measures  # noqa: PLC0415
    from pneumo_core.inference.generator import load_generator  # noqa: PLC0415
    from pneumo_core.reporting.gan_findings import finding_text, gan_findings  # noqa: PLC0415
    from pneumo_core.reporting.gan_tables import measures_table  # noqa: PLC0415

    gan = find_run(or_recommended(run, is_gan=True))
    generator = load_generator(gan)
    measures = read_measures(gan)
    if any(option is not None for option in (count, seed, classifier, data)):
        index, taken = index_of(data)
        with progress_line("measuring") as progress:
            measures = measure_gan(
                gan.run_id,
                generator,
                index,
                read_learned(gan),
                count=measures.report.n_generated if count is None else count,
                seed=measures.sample_seed if seed is None else seed,
                classifier=classifier and complete_id(classifier),
                progress=progress,
            )
        note(taken)
    findings = [*map(finding_text, gan_findings(measures.report))]
    if as_json:
        print_result({"findings": findings, **encode(measures)}, as_json=True)
        return
    head = f"{named(gan.run_id, run, is_gan=True)}; samples of seed {measures.sample_seed}"
    say_prose("\n".join([head, *findings, ""]))
    print_tables(measures_table(gan.run_id, measures.report, measures.real_called_pneumonia))
