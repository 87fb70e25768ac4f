"""The table that a benchmark prints, and the same figures as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from pneumo_core.records import Estimate, NotApplicable

Figure = float | str | Estimate | NotApplicable


def tell(figures: Mapping[str, Figure], path: Path | None) -> None:
    """Print one line a figure; names end in their unit, ratios and shares have none."""
    for name, figure in figures.items():
        print(f"{name:<48} {_words(figure)}")
    if path:
        plain = {
            name: asdict(figure) if isinstance(figure, Estimate | NotApplicable) else figure
            for name, figure in figures.items()
        }
        path.write_text(json.dumps(plain, indent=1) + "\n")


def _words(figure: Figure) -> str:
    match figure:
        case Estimate(value, low, high, n):
            return f"{value:.4f} ({low:.4f} to {high:.4f}, n = {n:,})"
        case NotApplicable(reason):
            return f"not applicable: {reason}"
        case str():
            return figure
        case int():
            return f"{figure:,}"
    return f"{figure:,.0f}" if abs(figure) >= 1000 else f"{figure:.3g}"
