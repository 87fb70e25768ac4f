"""What the gate's model takes and answers; shared by its training and its use."""

from typing import Final

INPUT_SIZE: Final = 128
"""Side of the square image that the gate takes, in pixels."""

HEADS: Final = {
    "kind": ("frontal", "lateral", "other"),
    "orientation": ("upright", "turned_90", "turned_180", "turned_270", "flipped"),
    "inverted": ("no", "yes"),
    "frame": ("whole", "part", "framed"),
}
"""Classes of each output, in order. `turned_90` is an upright X-ray turned by 90 degrees counterclockwise; `flipped` is one
mirrored top to bottom. `framed` stands for large borders, screenshots and photographs of a film."""
