"""A bundle is verified before it is unpickled."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn
from model_builders import KEY, MEASURES, a_model, saved, some_columns, some_groups

from models import bundle
from models.errors import BundleError
from models.forest import AnomalyModel


@pytest.fixture(scope="module")
def model() -> AnomalyModel:
    return a_model()


@pytest.fixture
def folder(tmp_path: Path, model: AnomalyModel) -> Path:
    saved(tmp_path / "bundle", model)
    return tmp_path / "bundle"


class Mine:
    """Unpickling it creates a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.file),)


def sign_again(folder: Path, key: bytes, **changes: Any) -> None:
    manifest = json.loads((folder / "manifest.json").read_text()) | changes
    content = json.dumps(manifest).encode()
    (folder / "manifest.json").write_bytes(content)
    (folder / "manifest.hmac").write_text(hmac.new(key, content, hashlib.sha256).hexdigest())


def test_what_is_loaded_scores_as_what_was_saved(folder: Path, model: AnomalyModel) -> None:
    loaded = bundle.load(folder, key=KEY)
    columns, groups = some_columns(500, seed=8), some_groups(500, seed=9)
    np.testing.assert_array_equal(
        loaded.models["orders"].percentile(columns, groups), model.percentile(columns, groups)
    )
    entry = loaded.manifest.models["orders"]
    assert entry.features == tuple(measure.name for measure in MEASURES)
    assert (entry.rows, entry.groups) == (3000, ("category", "live", "week"))
    assert loaded.manifest.created_for == "policy-hash"
    assert loaded.manifest.libraries["scikit-learn"] == sklearn.__version__


def test_equal_training_gives_an_equal_id_in_another_process(tmp_path: Path, model: AnomalyModel) -> None:
    script = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2]);"
        "from model_builders import saved; print(saved(Path(sys.argv[1])))"
    )
    here = str(Path(__file__).parent)
    other = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "other"), here],
        capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONHASHSEED": "77"}, cwd=Path(__file__).parents[2],
    ).stdout.strip()  # fmt: skip
    assert saved(tmp_path / "one", model) == other
    assert bundle.load(tmp_path / "other", key=KEY).id == other


def test_the_id_tells_trainings_apart_but_not_times_of_writing(tmp_path: Path, model: AnomalyModel) -> None:
    ids = [
        saved(tmp_path / "a", model),
        saved(tmp_path / "b", model, created_at=datetime(2027, 5, 5, tzinfo=UTC)),
        saved(tmp_path / "c", model, created_for="another policy"),
        saved(tmp_path / "d", a_model(seed=6)),
        saved(tmp_path / "e", bundle.load(tmp_path / "a", key=KEY).models["orders"]),
    ]
    assert ids[0] == ids[1] == ids[4]
    assert len(set(ids)) == 3


def test_every_changed_byte_is_refused(folder: Path) -> None:
    rng = np.random.default_rng(1)
    for file in sorted(folder.iterdir()):
        content = file.read_bytes()
        places = range(len(content)) if len(content) < 100 else rng.integers(0, len(content), 60)
        for at in (0, *places, len(content) - 1):
            changed = bytearray(content)
            changed[at] ^= 1 << int(rng.integers(0, 8))
            file.write_bytes(changed)
            with pytest.raises(BundleError, match=r"does not match|is not the file that was signed"):
                bundle.load(folder, key=KEY)
        file.write_bytes(content)
    assert bundle.load(folder, key=KEY).models


def test_a_payload_of_an_intruder_is_never_unpickled(folder: Path, tmp_path: Path) -> None:
    mine, trace = bundle._pickled(Mine(tmp_path / "trace")), tmp_path / "trace"
    (folder / "orders.joblib").write_bytes(mine)
    with pytest.raises(BundleError, match="is not the file that was signed"):
        bundle.load(folder, key=KEY)
    models = json.loads((folder / "manifest.json").read_text())["models"]
    models["orders"]["sha256"] = hashlib.sha256(mine).hexdigest()
    sign_again(folder, b"a key that the intruder made up", models=models)
    with pytest.raises(BundleError, match="does not match"):
        bundle.load(folder, key=KEY)
    assert not trace.exists()
    with pytest.raises(BundleError, match="not an anomaly model"):
        bundle.load(folder, key=b"a key that the intruder made up")
    assert trace.exists(), "the payload does run where the signature is good: the test would notice"


def test_one_bad_payload_keeps_all_from_being_unpickled(tmp_path: Path, model: AnomalyModel) -> None:
    trace = tmp_path / "trace"
    models: Any = {"a": Mine(trace), "b": model}
    (tmp_path / "bundle").mkdir()
    for name, held in models.items():
        (tmp_path / "bundle" / f"{name}.joblib").write_bytes(bundle._pickled(held))
    saved(tmp_path / "real", model)
    entry = json.loads((tmp_path / "real" / "manifest.json").read_text())
    good = hashlib.sha256((tmp_path / "bundle" / "a.joblib").read_bytes()).hexdigest()
    entry["models"] = {
        "a": entry["models"]["orders"] | {"file": "a.joblib", "sha256": good},
        "b": entry["models"]["orders"] | {"file": "b.joblib", "sha256": "0" * 64},
    }
    (tmp_path / "bundle" / "manifest.json").write_text(json.dumps(entry))
    sign_again(tmp_path / "bundle", KEY)
    with pytest.raises(BundleError, match=r"b\.joblib"):
        bundle.load(tmp_path / "bundle", key=KEY)
    assert not trace.exists()


@pytest.mark.parametrize("file", ["manifest.json", "manifest.hmac", "orders.joblib"])
def test_a_missing_file_is_named(folder: Path, file: str) -> None:
    (folder / file).unlink()
    with pytest.raises(BundleError, match=rf"{file} cannot be read \(No such file"):
        bundle.load(folder, key=KEY)


def test_the_wrong_key_is_refused(folder: Path) -> None:
    with pytest.raises(BundleError, match="signed with another key"):
        bundle.load(folder, key=KEY + b"!")
    with pytest.raises(BundleError, match="has 3 bytes; it needs 16"):
        bundle.load(folder, key=b"abc")


@pytest.mark.parametrize(("change", "refused"), [("major", True), ("minor", True), ("patch", False)])
def test_another_scikit_learn_is_refused(folder: Path, change: str, refused: bool) -> None:
    major, minor, *_ = sklearn.__version__.split(".")
    versions = {
        "major": f"{int(major) + 1}.{minor}.0",
        "minor": f"{major}.{int(minor) - 1}.0",
        "patch": f"{major}.{minor}.999",
    }
    trained = {"scikit-learn": versions[change]}
    sign_again(folder, KEY, libraries=trained)
    if refused:
        with pytest.raises(BundleError, match=rf"install scikit-learn {versions[change]} or train again"):
            bundle.load(folder, key=KEY)
    else:
        assert bundle.load(folder, key=KEY).models


@pytest.mark.parametrize("changes", [{"format": 2}, {"format": "new"}, {"surprise": 1}])
def test_another_layout_is_refused(folder: Path, changes: dict[str, Any]) -> None:
    sign_again(folder, KEY, **changes)
    with pytest.raises(BundleError, match="format"):
        bundle.load(folder, key=KEY)


def test_nothing_is_overwritten_and_nothing_half_is_left(folder: Path, model: AnomalyModel) -> None:
    with pytest.raises(BundleError, match="never overwritten"):
        saved(folder, model)
    (folder.parent / "file").write_text("")
    with pytest.raises(BundleError, match="could not be written"):
        saved(folder.parent / "file" / "bundle", model)
    assert sorted(found.name for found in folder.parent.iterdir()) == ["bundle", "file"]
    assert sorted(found.name for found in folder.iterdir()) == [
        "manifest.hmac",
        "manifest.json",
        "orders.joblib",
    ]


def test_names_of_models_cannot_leave_the_folder(tmp_path: Path, model: AnomalyModel) -> None:
    with pytest.raises(BundleError, match="cannot name models"):
        bundle.save(
            tmp_path / "bundle",
            {"../outside": model},
            key=KEY,
            created_for="",
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            window=(datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
        )
