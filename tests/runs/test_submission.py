"""What a run was submitted with, as config.json holds it: it comes back as it was, and a damaged one is said."""

import pytest

from pneumo_core.config.classifier import Preset
from pneumo_core.config.gan import gan_config
from pneumo_core.config.presets import preset_config
from pneumo_core.config.run import RunConfig, config_to_dict
from pneumo_core.errors import CorruptError
from pneumo_core.records import Architecture
from pneumo_core.runs.files import read_json, write_json
from pneumo_core.runs.store import RunDirectory, run_directory
from pneumo_core.runs.submission import RunData, Submission, read_config, read_data, read_submission, write_submission
from tests.hostile import assert_one_line

RUN_ID = "baseline-0123456789ab"
DATA = {"data_id": "0123456789ab", "root": "/somebody/chest_xray", "is_phantom": False}


@pytest.fixture
def run(no_published: object) -> RunDirectory:
    return run_directory(RUN_ID)


@pytest.mark.parametrize("config", [preset_config(Architecture.VGG16, Preset.REPORT), gan_config(Preset.QUICK)])
def test_a_submission_comes_back_as_it_was(run: RunDirectory, config: RunConfig) -> None:
    submission = Submission(config, RunData(**DATA), 1.7e9)
    write_submission(run, submission)
    assert read_submission(run) == submission
    assert (read_config(run), read_data(run)) == (config, submission.data)
    assert read_data(run).name == "chest_xray"
    stored = read_json(run.config)
    assert stored == {"run_id": RUN_ID, "config": config_to_dict(config), "data": DATA, "submitted_at": 1.7e9}


@pytest.mark.parametrize(
    "data",
    [None, [], {}, {**DATA, "data_id": 7}, {**DATA, "is_phantom": "no"}, {"data_id": "0123456789ab"}],
    ids=repr,
)
def test_a_data_set_that_is_not_named_is_said(run: RunDirectory, data: object) -> None:
    config = config_to_dict(gan_config(Preset.QUICK))
    write_json(run.config, {"run_id": RUN_ID, "config": config, "data": data, "submitted_at": 1.7e9})
    for read in (read_data, read_submission):
        with pytest.raises(CorruptError) as raised:
            read(run)
        assert_one_line(raised.value, "must name the run's data set", str(run.config))
    assert read_config(run) == gan_config(Preset.QUICK)


@pytest.mark.parametrize("submitted_at", [None, "now", True])
def test_a_submission_without_its_time_is_said(run: RunDirectory, submitted_at: object) -> None:
    config = config_to_dict(gan_config(Preset.QUICK))
    write_json(run.config, {"run_id": RUN_ID, "config": config, "data": DATA, "submitted_at": submitted_at})
    with pytest.raises(CorruptError) as raised:
        read_submission(run)
    assert_one_line(raised.value, "must say when", str(run.config))
