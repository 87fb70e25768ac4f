"""Where the gate's images come from: public repositories, packages of Debian and the data set, none of them shipped.

Each source serves training or measuring as a whole. `python -m benchmarks.gate gather` reads them from a folder that holds a
clone of each repository at its commit, as `owner+name`, and each package unpacked, as `debian/name`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np

from pneumo_core.errors import DataError

_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp"})


class Kind(StrEnum):
    """What an image shows."""

    FRONTAL = "frontal chest X-ray"
    LATERAL = "lateral chest X-ray"
    BONES = "X-ray of another body part"
    SLICE = "CT, MR or ultrasound"
    PHOTO = "photograph"
    DRAWING = "drawing or icon"
    DOCUMENT = "screenshot, plot or text"
    SCREENSHOT = "screenshot with a chest X-ray"


@dataclass(frozen=True, slots=True)
class Source:
    """A folder of images of one kind.

    Attributes:
        name: Short name, unique with the kind.
        kind: What its images show.
        held_out: Whether it serves measuring alone.
        place: Folder below the sources' folder.
        commit: Commit of the repository, or version of the package.
        license: As stated there.
        most: Maximum number of images taken, evenly from their sorted paths.
        pattern: Regular expression that a path below the place must match.
    """

    name: str
    kind: Kind
    held_out: bool
    place: str
    commit: str
    license: str
    most: int
    pattern: str = ""


_MEDPIX: Final = "asalmada+x-ray-images-enhancement/images"
_MEDPIX_FRONTAL: Final = "01 02 04 05 06 08 10 12 31 40 41 42 44 47 49 54 58"
_MEDPIX_LATERAL: Final = "03 07 09 11 13 15 17 18 19 21 23 24 25 26 28 29 32 33 35 36 37 39 43 45 48 51 52 56 60"
_MEDPIX_OTHER: Final = (
    "16 20 22 27 34 38 46 50 53 55 57 59 nonossifying_fibroma1 nonossifying_fibroma2 toddlers_fracture"
)


def _named(words: str) -> str:
    return rf"^0?({'|'.join(words.split())})\.jpg$"


COVID: Final = "hida6+covid-chestxray-dataset"
"""Copy of ieee8023/covid-chestxray-dataset. Its table says the view; what is kept for trying the gate is left out by it."""

SOURCES: Final = (
    Source(
        "NIH",
        Kind.FRONTAL,
        False,
        "dinbe0527+kcr2019d1/NIH1000",
        "ab26402f327a",
        "none in the repository; NIH ChestX-ray14: free use with attribution",
        1000,
    ),
    Source(
        "RSNA",
        Kind.FRONTAL,
        False,
        "rtchanon+Machine-Learning-for-COVID-19-detection-from-chest-X-RAYS/COVID-19_Radiography_Dataset/Normal",
        "744af3631b60",
        "none in the repository; of COVID-19 Radiography Database",
        2500,
    ),
    Source("COVID", Kind.FRONTAL, False, f"{COVID}/images", "584034aa7fbf", "by image, mostly CC BY-NC-SA", 900),
    Source("COVID", Kind.LATERAL, False, f"{COVID}/images", "584034aa7fbf", "by image, mostly CC BY-NC-SA", 900),
    Source("COVID", Kind.SLICE, False, f"{COVID}/images", "584034aa7fbf", "by image, mostly CC BY-NC-SA", 900),
    Source(
        "RSNA hands",
        Kind.BONES,
        False,
        "ajayduraisamy+Bone-detection-using-x-ray-images/images",
        "54d1061b858b",
        "none in the repository; of RSNA Bone Age, research",
        500,
    ),
    Source(
        "small hands", Kind.BONES, False, "TehmoorG+Generative-Hand-X-ray/data/real_hands", "79e28069f600", "MIT", 200
    ),
    Source("spines", Kind.BONES, False, "AdamSkog+Scoliosis-Xray-Classification/data", "a5b5b2972851", "MIT", 400),
    Source(
        "skulls",
        Kind.BONES,
        False,
        "Thiggel+Cephalometric-Landmark-Detection-Using-Contemporary-DL/dataset/benchmark/images",
        "8438e22cb131",
        "none in the repository; of ISBI 2015, research",
        250,
    ),
    Source(
        "MURA",
        Kind.BONES,
        False,
        "aashish900+MURA/Dataset_Examples",
        "a73999f4bbe6",
        "none in the repository; of MURA, research use",
        20,
    ),
    Source(
        "Medical MNIST",
        Kind.SLICE,
        False,
        "apolanco3225+Medical-MNIST-Classification/resized",
        "a8942eefd6e7",
        "none in the repository; MedNIST, CC BY-SA 4.0",
        1600,
        r"^(HeadCT|ChestCT|AbdomenCT|BreastMRI)/",
    ),
    Source(
        "brain MR",
        Kind.SLICE,
        False,
        "OmiVibes+Brain-Tumor-Detection-using-CNN/static/uploads",
        "17d619f7a0db",
        "none stated",
        100,
    ),
    Source(
        "BUSI",
        Kind.SLICE,
        False,
        "TongxinWang0405+BMI702_project/Dataset_BUSI_with_GT",
        "922c9469dff2",
        "none in the repository; of BUSI, CC BY 4.0",
        800,
    ),
    Source("gray photos", Kind.PHOTO, False, "sathvikanna+data/train", "5e2e44d5fa5b", "none stated", 2800),
    Source("Plasma", Kind.PHOTO, False, "debian/plasma-workspace-wallpapers", "5.27.5-2", "CC BY-SA, LGPL", 100),
    Source("Openclipart", Kind.DRAWING, False, "debian/openclipart-png", "0.18+dfsg-19", "public domain", 2500),
    Source(
        "CheXpert",
        Kind.FRONTAL,
        True,
        "rishabhbhardwaj+ChestXRay-Classification/CheXpert-v1.0-small/valid",
        "cb6db7eab669",
        "none in the repository; of CheXpert, research use",
        300,
        r"frontal",
    ),
    Source(
        "CheXpert",
        Kind.LATERAL,
        True,
        "rishabhbhardwaj+ChestXRay-Classification/CheXpert-v1.0-small/valid",
        "cb6db7eab669",
        "none in the repository; of CheXpert, research use",
        300,
        r"lateral",
    ),
    Source("MedPix", Kind.FRONTAL, True, _MEDPIX, "cd6a7b9f8897", "MIT; of MedPix", 50, _named(_MEDPIX_FRONTAL)),
    Source("MedPix", Kind.LATERAL, True, _MEDPIX, "cd6a7b9f8897", "MIT; of MedPix", 50, _named(_MEDPIX_LATERAL)),
    Source("MedPix", Kind.BONES, True, _MEDPIX, "cd6a7b9f8897", "MIT; of MedPix", 50, _named(_MEDPIX_OTHER)),
    Source(
        "fractures",
        Kind.BONES,
        True,
        "WLASIX+Classification-of-X-ray-images/raw_dataset",
        "22d322d3af98",
        "none stated",
        200,
    ),
    Source("knees", Kind.BONES, True, "NirantK+knee-xrays/data", "44e1499a0c8f", "MIT", 200),
    Source(
        "hips",
        Kind.BONES,
        True,
        "radoss-org+radoss-creative-commons/other/xray",
        "185aed296005",
        "none in the repository; of Fraiwan et al., CC BY 4.0",
        50,
        r"DDH_[0-9]+\.jpg$",
    ),
    Source(
        "head CT", Kind.SLICE, True, "Roiabr+Head-CT-hemorrhage-detection/Dataset", "36b7fe82b5ea", "none stated", 200
    ),
    Source(
        "brain MR of Sartaj",
        Kind.SLICE,
        True,
        "SartajBhuvaji+Brain-Tumor-Classification-DataSet",
        "3ea9f4eae54c",
        "none stated",
        500,
    ),
    Source(
        "fetal ultrasound",
        Kind.SLICE,
        True,
        "safwankdb+Automated-measurement-of-Fetal-head-circumference/test_set",
        "4a45329371a5",
        "none in the repository; of HC18, CC BY 4.0",
        340,
    ),
    Source(
        "ImageNet sample", Kind.PHOTO, True, "EliSchwartz+imagenet-sample-images", "bc69043e2862", "none stated", 1000
    ),
    Source("GNOME", Kind.PHOTO, True, "debian/gnome-backgrounds", "43.1-1", "CC BY-SA", 50),
    Source(
        "Tux Paint", Kind.DRAWING, True, "debian/tuxpaint-stamps-default", "2022.06.04-1", "GPL, public domain", 800
    ),
    Source(
        "MONAI Label", Kind.DOCUMENT, True, "Project-MONAI+MONAILabel/docs/images", "058ddfc45ac5", "Apache 2.0", 100
    ),
    Source(
        "CVAT",
        Kind.SCREENSHOT,
        True,
        "drpradeepAI+Medical-AI-Data-Annotation/computer_vision/Computer_Vision_Projects/Radiology_Projects/X-RAY_Projects/"
        "50_chest_xray_mass_annotation_project/screenshot/screenshots_png_images",
        "86d6fd86102e",
        "none stated",
        50,
        r"(135707|13(58|59)[0-9]{2}|140[01][0-9]{2})\.png$",  # Those in which an X-ray is open and no dialog covers it.
    ),
    Source(
        "phone app",
        Kind.SCREENSHOT,
        True,
        "ParvNarang+PNEU-COV-App/images",
        "67c152507d5d",
        "none stated",
        50,
        r"^[456]\.jpeg$",
    ),
    Source(
        "phone app, TB",
        Kind.SCREENSHOT,
        True,
        "CrispenGari+tuberculosis-AI/images/screenshots",
        "ffad59f10945",
        "MIT",
        50,
        r"^(android/4|ios/5)\.jpeg$",
    ),
    Source(
        "web app",
        Kind.SCREENSHOT,
        True,
        "himanshu1322+Pneumonia_Detection-master/static",
        "250179a2b5bb",
        "none stated",
        50,
        r"^(pic4\.jpg|predictor\.png|results\.png)$",
    ),
)


def files(source: Source, root: Path) -> list[Path]:
    """Image files of a source, at most `source.most`, evenly from their sorted paths.

    Raises:
        DataError: The source is not below the folder.
    """
    place = root / source.place
    if not place.is_dir():
        raise DataError(f"a source must be there. Received: {str(place)!r}, which is no folder; see docs/gate.md")
    views = _covid_views(root) if source.place.startswith(COVID) else None
    found = [
        path
        for path in sorted(place.rglob("*"))
        if path.suffix.lower() in _SUFFIXES
        and re.search(source.pattern, path.relative_to(place).as_posix())
        and (views is None or views.get(path.name) is source.kind)
    ]
    if len(found) <= source.most:
        return found
    return [found[int(place)] for place in np.linspace(0, len(found) - 1, source.most)]


def _covid_views(root: Path) -> dict[str, Kind]:
    """Kind by file name; images from the collections that the gate is tried on are left out."""
    import csv  # noqa: PLC0415

    kinds = {"PA": Kind.FRONTAL, "AP": Kind.FRONTAL, "AP Supine": Kind.FRONTAL, "L": Kind.LATERAL}
    kinds |= {"Axial": Kind.SLICE, "Coronal": Kind.SLICE}
    with (root / COVID / "metadata.csv").open(newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    kept = re.compile("ml-workgroup|hannover|figure ?1[^0-9]|actualmed", re.IGNORECASE)
    return {
        row["filename"]: kinds[row["view"]]
        for row in rows
        if row["view"] in kinds and not kept.search(" ".join(f"{row[name]} " for name in ("url", "location", "doi")))
    }


def each(root: Path) -> Iterator[tuple[Source, list[Path]]]:
    """Each source with its files."""
    for source in SOURCES:
        yield source, files(source, root)
