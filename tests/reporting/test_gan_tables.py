"""A DCGAN's measures, cell by cell from numbers of which no two are alike; the GAN lab's pages are in tests/pages."""

from itertools import count
from types import SimpleNamespace
from typing import Any

from pneumo_core.evaluation.wording import measured_parts
from pneumo_core.records import Estimate, NotApplicable
from pneumo_core.reporting.gan_tables import NEARER, measures_table, words_of


class Numbered(SimpleNamespace):
    """Whatever is asked of it is an estimate, each once."""

    def __getattr__(self, name: str) -> Estimate:
        number = next(NUMBERS) / 1000
        setattr(self, name, Estimate(number, number - 0.0001, number + 0.0002, round(1000 * number)))
        return self.__dict__[name]


NUMBERS = count(100)


def report() -> Any:
    return SimpleNamespace(
        features=Numbered(space="a projection"),
        collapse=Numbered(ms_ssim_limit=0.25),
        memorisation_pixels=SimpleNamespace(expected_share=0.01, share=Estimate(0.9, 0.89, 0.92, 90)),
        memorisation_features=NotApplicable("no features"),
        called_pneumonia=Estimate(0.8, 0.79, 0.82, 80),
        n_real=77,
    )


def test_each_measure_stands_beside_its_own_reference() -> None:
    made, real = report(), Estimate(0.7, 0.69, 0.72, 70)
    table = measures_table("dcgan-0", made, real)
    found, collapse = made.features, made.collapse
    expected: list[tuple[str, Any, str, Any, Any]] = [
        ("KID", found.kid, "floor", found.kid_floor, found.kid_ratio),
        ("FID", found.fid, "", None, None),
        ("FID, at equal numbers", found.fid_matched, "floor", found.fid_floor, found.fid_ratio),
        ("Precision", found.precision, "", None, None),
        ("Precision, at equal numbers", found.precision_matched, "ceiling", found.precision_ceiling, None),
        ("Recall", found.recall, "", None, None),
        ("Recall, at equal numbers", found.recall_matched, "ceiling", found.recall_ceiling, None),
        ("MS-SSIM of pairs", collapse.ms_ssim, "real pairs", collapse.real_ms_ssim, None),
        ("Twins", collapse.twins, "", None, None),
        (
            f"{NEARER}, by pixels",
            made.memorisation_pixels.share,
            "real images",
            Estimate(0.01, 0.01, 0.01, 77),
            None,
        ),
        (f"{NEARER}, by features", made.memorisation_features, "", None, None),
        ("Called PNEUMONIA", made.called_pneumonia, "real images", real, None),
    ]

    def numbers(value: Any) -> tuple[Any, ...]:
        return (value.value, value.low, value.high, value.n) if isinstance(value, Estimate) else (None,) * 4

    assert table.data is not None
    for row, (name, value, beside, reference, ratio) in zip(table.data.rows, expected, strict=True):
        reason = value.reason if isinstance(value, NotApplicable) else ""
        cells = (*numbers(value), beside, *numbers(reference), *numbers(ratio), reason, "a projection")
        assert row == ("dcgan-0", name, *cells)
    assert len(table.data.columns) == len(table.data.rows[0])
    texts = {row[0]: row[1:5] for row in table.rows}
    assert texts["Called PNEUMONIA"] == ("80.0 % (79.0 to 82.0 %)", "80", "real images: 70.0 % (69.0 to 72.0 %)", "")
    assert texts[f"{NEARER}, by pixels"][2] == "real images: 1.0 %"
    assert texts[f"{NEARER}, by features"] == ("n/a (no features)", "", "", "")
    assert texts["KID"][3] == "{} ({})".format(*words_of(found.kid_ratio, measured_parts))
