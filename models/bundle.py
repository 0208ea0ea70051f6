"""The signed model bundle: a folder that is verified to the last byte before anything in it is unpickled.

A pickle can run code, so a model file is trusted only with the platform's key: ``manifest.json`` names every
payload with its SHA-256, ``manifest.hmac`` is the HMAC-SHA256 of the manifest's bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import os
import platform
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import joblib
from pydantic import ValidationError

from models.errors import BundleError
from models.forest import AnomalyModel
from models.manifest import Manifest, Payload

FORMAT = 1
MIN_KEY_BYTES = 16

_MANIFEST, _SIGNATURE = "manifest.json", "manifest.hmac"
_LIBRARIES = ("scikit-learn", "numpy", "joblib")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle: its id, its manifest and its models by name."""

    id: str
    manifest: Manifest
    models: dict[str, AnomalyModel]


def save(
    path: Path,
    models: Mapping[str, AnomalyModel],
    *,
    key: bytes,
    created_for: str,
    created_at: datetime,
    window: tuple[datetime, datetime],
) -> str:
    """Write a bundle folder, whole or not at all.

    Parameters
    ----------
    path
        The folder; must not exist.
    models
        Name (letters, digits, ``_``) → model.
    key
        Signing key, at least 16 bytes.
    created_for, created_at, window
        See ``Manifest``.

    Returns
    -------
    str
        The bundle's id.

    Raises
    ------
    BundleError
        The folder exists, the key is too short, or a name is not one.
    """
    _check_key(key)
    wrong = [name for name in models if not name.isidentifier()]
    if wrong:
        raise BundleError(f"{wrong} cannot name models; use letters, digits and _")
    if path.exists():
        raise BundleError(f"{path} exists; a bundle is never overwritten. Choose a new folder.")
    files = {f"{name}.joblib": _pickled(model) for name, model in sorted(models.items())}
    manifest = Manifest(
        format=FORMAT,
        created_for=created_for,
        created_at=created_at,
        window=window,
        libraries={"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}},
        models={name: _describe(name, model, files) for name, model in sorted(models.items())},
    )
    files[_MANIFEST] = (json.dumps(manifest.model_dump(mode="json"), indent=1) + "\n").encode()
    files[_SIGNATURE] = _signature(files[_MANIFEST], key)
    _publish(path, files)
    return manifest.id


def load(path: Path, *, key: bytes) -> Bundle:
    """Verify a bundle, then unpickle it.

    Raises
    ------
    BundleError
        A file is missing, the signature is not this key's, a byte was changed, or the bundle was written
        with another layout or another major or minor version of scikit-learn. Nothing was unpickled.
    """
    from sklearn.exceptions import InconsistentVersionWarning

    _check_key(key)
    written = _read(path / _MANIFEST)
    if not hmac.compare_digest(_read(path / _SIGNATURE), _signature(written, key)):
        raise BundleError(
            f"{path}: the signature does not match, so the manifest was changed or signed with another key; "
            "the bundle is refused. Use the key it was written with, or train again."
        )
    manifest = _parse(path, written)
    _check_libraries(path, manifest)
    payloads = {name: _verified(path, payload) for name, payload in manifest.models.items()}
    with warnings.catch_warnings():
        # another patch version: scikit-learn warns once per tree, and major.minor was checked above
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        models = {name: _unpickled(path, name, content) for name, content in payloads.items()}
    return Bundle(manifest.id, manifest, models)


def _check_key(key: bytes) -> None:
    if len(key) < MIN_KEY_BYTES:
        raise BundleError(f"the signing key has {len(key)} bytes; it needs {MIN_KEY_BYTES} or more")


def _signature(content: bytes, key: bytes) -> bytes:
    return hmac.new(key, content, hashlib.sha256).hexdigest().encode()


def _pickled(model: AnomalyModel) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer.getvalue()


def _unpickled(path: Path, name: str, content: bytes) -> AnomalyModel:
    model = joblib.load(io.BytesIO(content))
    if not isinstance(model, AnomalyModel):
        raise BundleError(f"{path}: {name} is not an anomaly model but {type(model).__name__}; train again")
    return model


def _describe(name: str, model: AnomalyModel, files: Mapping[str, bytes]) -> Payload:
    file = f"{name}.joblib"
    return Payload(
        file=file,
        sha256=hashlib.sha256(files[file]).hexdigest(),
        digest=model.digest(),
        features=model.features,
        groups=model.residuals.keys,
        rows=model.rows,
    )


def _publish(path: Path, files: Mapping[str, bytes]) -> None:
    """Write beside the target and rename, so that no reader ever sees half a bundle."""
    draft = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        draft.mkdir(parents=True)
        for name, content in files.items():
            (draft / name).write_bytes(content)
        os.rename(draft, path)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise BundleError(f"{path}: the bundle could not be written: {error.strerror}") from error


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BundleError(
            f"{file} cannot be read ({error.strerror}); a bundle is a folder with {_MANIFEST}, {_SIGNATURE} "
            "and the files that the manifest names"
        ) from error


def _parse(path: Path, written: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(written)
    except ValidationError as error:
        raise BundleError(
            f"{path}: {_MANIFEST} is not of format {FORMAT}, the one this version reads; train again"
        ) from error


def _check_libraries(path: Path, manifest: Manifest) -> None:
    if manifest.format != FORMAT:
        raise BundleError(f"{path}: format {manifest.format}; this version reads format {FORMAT}")
    trained, here = manifest.libraries.get("scikit-learn", "none"), version("scikit-learn")
    if trained.split(".")[:2] != here.split(".")[:2]:
        raise BundleError(
            f"{path}: trained with scikit-learn {trained}, but {here} is installed and may read the trees "
            f"differently; install scikit-learn {trained} or train again"
        )


def _verified(path: Path, payload: Payload) -> bytes:
    content = _read(path / payload.file)
    if hashlib.sha256(content).hexdigest() != payload.sha256:
        raise BundleError(
            f"{path / payload.file} is not the file that was signed (its SHA-256 differs); the bundle is "
            "refused. Restore the file or train again."
        )
    return content
