"""The real X-rays, indexed once for every test that needs them."""

import os
from pathlib import Path

import pytest

from pneumo_core.data.index import DataIndex, build_index


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder that PNEUMO_REAL_DATA names."""
    named = os.environ.get("PNEUMO_REAL_DATA")
    if not named:
        pytest.skip("set PNEUMO_REAL_DATA to a chest_xray folder")
    return Path(named)


@pytest.fixture(scope="session")
def real_index(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> DataIndex:
    """The real X-rays, indexed; never change it, it is everyone's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMO_ARTIFACTS", str(tmp_path_factory.mktemp("real")))
        return build_index(real_data)
