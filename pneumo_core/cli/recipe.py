"""The settings of a training that its preset has, as options which `train` and `study` share."""

import inspect
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

import typer

from pneumo_core.config.augment import AUGMENTATIONS
from pneumo_core.config.augment_file import named_augmentation
from pneumo_core.config.classifier import FineTuneConfig, Preparation, Schedule
from pneumo_core.records import Split

_Command = TypeVar("_Command", bound=Callable[..., None])


class Choosing(StrEnum):
    """The splits that epoch and threshold can be chosen on."""

    VAL = Split.VAL.value
    STRESS = Split.STRESS.value


_RECIPE: Final[dict[str, tuple[type, str]]] = {
    "epochs": (int, "Maximum number of epochs"),
    "learning_rate": (float, "Adam's initial learning rate"),
    "image_size": (int, "Side of the images in pixels"),
    "preparation": (
        Preparation,
        "How an image becomes a square: squashed, or padded with black, which keeps its aspect",
    ),
    "augment": (str, f"One of {', '.join(AUGMENTATIONS)}, or a settings file"),
    "mixup": (float, "Beta distribution's parameter of the share of a second image in each; 0 mixes none"),
    "label_smoothing": (float, "Share of each label that is spread over both classes"),
    "weight_decay": (float, "Share of each kernel that a step at a learning rate of 1 takes away"),
    "schedule": (Schedule, "How the learning rate falls: when the loss stops falling, or along a cosine"),
    "averaging": (float, "Share that the average of the weights keeps in each step; 0 takes the weights themselves"),
    "choose_on": (Choosing, "Images that choose epoch, threshold and calibration; stress: degraded copies of val"),
    "test_time_flip": (bool, "Whether the model answers for an image and its mirror image, and takes the mean"),
    "feature_views": (int, "VGG16: stored augmented views per image; 0 draws new ones every epoch"),
    "trained_blocks": (int, "VGG16: convolution blocks, counted from the last, that are trained from the start"),
    "fine_tune": (int, "VGG16: maximum epochs of a second phase that also trains the last block"),
}
"""Type and help of each option; its name is the setting's in `TrainConfig`, and None is its default."""


def takes_recipe(command: _Command) -> _Command:
    """Put the options in place of a command's ``**recipe``, which then receives them."""
    options = {
        name: inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[kind | None, typer.Option(help=f"{words}; default: the preset's.")],
        )
        for name, (kind, words) in _RECIPE.items()
    }
    signature = inspect.signature(command)
    others = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    command.__annotations__ = {
        **{name: words for name, words in command.__annotations__.items() if name != "recipe"},
        **{name: option.annotation for name, option in options.items()},
    }
    # typer reads the signature and the annotations, and passes everything by name.
    vars(command)["__signature__"] = signature.replace(
        parameters=[*(one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in others), *options.values()]
    )
    return command


def changes(recipe: dict[str, Any]) -> dict[str, Any]:
    """What `preset_config` takes of the options that were given.

    Raises:
        ConfigError: There is no such augmentation, or its file is refused.
    """
    given = {name: value for name, value in recipe.items() if value is not None}
    if "augment" in given:
        given["augment"] = named_augmentation(given["augment"])
    if "choose_on" in given:
        given["choose_on"] = Split(given["choose_on"])
    if "fine_tune" in given:
        given["fine_tune"] = FineTuneConfig(given["fine_tune"]) if given["fine_tune"] else None
    return given
