"""The real command: its exit statuses, what it says, and what it leaves when it is stopped in the middle."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from detector.cli import main
from detector.errors import InputError
from detector.job import plan
from detector.simulate.market import simulate, write_market

TRUETRADE = Path(sys.executable).with_name("truetrade")
STOPS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -signal.SIGKILL}


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("command") / "input"
    write_market(simulate(2000, 30, 5), folder)
    return folder / "market"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of ``truetrade …``."""
    with pytest.raises(SystemExit) as done:
        call(*arguments)
    return int(done.value.code or 0), *capsys.readouterr()


def call(*arguments: object) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["truetrade", *map(str, arguments)])
        main()


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def said(market: Path) -> str:
    """What a scan of the market into the folder ``out`` beside it prints."""
    command = [TRUETRADE, "scan", market, "--out", market.parent / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def scanned(market: Path, said: str) -> Path:
    return market.parent / "out"


def test_a_scan_says_what_it_does_and_what_it_found(said: str, scanned: Path) -> None:
    lines = said.splitlines()
    stages = [line for line in lines if line.startswith("[")]
    assert sorted(line.split(" … ")[0] for line in stages) == [
        f"[{n:2d}/{len(plan())}] {name}" for n, name in enumerate(plan(), start=1)
    ]
    assert all(" rows, " in line for line in stages)
    assert "left" in stages[0]
    assert lines[len(stages)].startswith("2,000 orders scored: ")
    assert any(line.startswith("no model given: the forest was trained on") for line in lines)
    assert lines[-1] == f"report: {scanned / 'report.html'}"
    assert (scanned / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["scan"], "Missing argument 'IN'"),
        (["scan", "in"], "Missing option '--out'"),
        (["scan", "in", "--out", "out", "--fast"], "No such option: --fast"),
        (["scan", "in", "--out", "out", "--day", "yesterday"], "'yesterday' does not match the format"),
        (["guess"], "No such command 'guess'"),
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, said, complained = run(capsys, *arguments)
    assert (status, said) == (2, "")
    assert says in " ".join(complained.replace("│", " ").split())


def test_a_failure_is_one_clear_line_and_with_debug_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = ["scan", tmp_path / "nowhere", "--out", tmp_path / "out"]
    says = f"{tmp_path / 'nowhere'} is not a folder"
    status, _, complained = run(capsys, *scan)
    assert status == 1
    assert complained.startswith(f"truetrade: {says}")
    assert complained.count("\n") == 1
    for arguments in ([*scan, "--debug"], ["--debug", *scan]):
        with pytest.raises(InputError, match=says):
            call(*arguments)
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_is_named(
    market: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRUETRADE_MODEL_KEY", raising=False)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "orders.csv").write_text("order_id,seller_id,buyer_id,created_at,currency\n")
    (tmp_path / "policy.toml").write_text("version = 'x'\n")
    (tmp_path / "thesis").mkdir()
    out = ["--out", tmp_path / "out"]
    for arguments, says in (
        (["scan", tmp_path / "in", *out], "orders.csv has no column total_minor, which is required"),
        (["scan", market, *out, "--policy", tmp_path / "policy.toml"], "policy.toml"),
        (["scan", market, "--out", tmp_path / "thesis"], "thesis exists and is no output of a scan"),
        (["scan", market, *out, "--model", tmp_path / "in"], "set TRUETRADE_MODEL_KEY"),
        (["scan", market, *out, "--mapping", tmp_path / "none.toml"], "none.toml cannot be read"),
        (["evaluate", market], "there is no truth to measure against: give --truth"),
    ):
        status, _, complained = run(capsys, *arguments)
        assert status == 1
        assert complained.startswith("truetrade: ")
        assert says in complained
        assert "Traceback" not in complained
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "policy.toml", "thesis"]


def stopped(market: Path, out: Path, number: signal.Signals) -> tuple[int, str]:
    """Exit status and last words of a scan that gets the signal in the middle."""
    command = [TRUETRADE, "scan", market, "--out", out]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("[ 5/"):
                break
        process.send_signal(number)
        _, complained = process.communicate(timeout=60)
    return process.returncode, complained


def test_a_stopped_scan_leaves_the_earlier_output_and_the_next_one_cleans_up(
    market: Path, scanned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outs = [tmp_path / number.name for number in STOPS]
    for out in outs:
        shutil.copytree(scanned, out)
    with ThreadPoolExecutor() as pool:
        ended = list(pool.map(stopped, [market] * len(STOPS), outs, STOPS))
    assert [status for status, _ in ended] == list(STOPS.values())
    assert all("Traceback" not in complained for _, complained in ended)
    assert all(content(out) == content(scanned) for out in outs)
    killed = tmp_path / signal.SIGKILL.name
    left = {path.name.split("-")[0] for path in tmp_path.iterdir()} - {out.name for out in outs}
    assert left == {f".{killed.name}.partial"}
    assert run(capsys, "scan", market, "--out", killed)[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == {out.name for out in outs}
    assert content(killed).keys() == content(scanned).keys()
    assert content(killed)["manifest.json"] != content(scanned)["manifest.json"]
