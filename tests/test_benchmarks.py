import json
import subprocess
import sys

from benchmarks.harness import compared, measured, python, ticker_server

KEYS = ["benchmark", "variant", "value", "unit", "baseline", "ratio"]


def shown(result, capsys):
    result.show()
    return json.loads(capsys.readouterr().out)


def test_a_ratio_is_the_median_of_the_rounds_and_larger_is_better(capsys) -> None:
    rounds = [(2.0, 1.0), (9.0, 3.0), (10.0, 1.0)]
    line = shown(compared("tell", "one-sender", "messages/s", rounds), capsys)
    assert list(line) == KEYS
    assert (line["value"], line["baseline"], line["ratio"]) == (9.0, 1.0, 3.0)
    line = shown(compared("latency", "p50", "us", rounds, smaller_is_better=True), capsys)
    assert line["ratio"] == round(1 / 3, 6)


def test_baseline_and_ratio_are_null_when_there_is_nothing_to_compare_with(capsys) -> None:
    line = shown(measured("idle", "whole-system", "%", [0.1, 0.2, 0.4]), capsys)
    assert list(line) == KEYS
    assert (line["value"], line["baseline"], line["ratio"]) == (0.2, None, None)


def test_the_baseline_reads_every_frame_of_the_ticker_server() -> None:
    with ticker_server(300) as address:
        done = python("original", "throughput", f"ws://{address}/public/stream", "300")
    assert done["count"] == 300
    assert done["cpu"] > 0


def test_decode_without_recordings_says_where_it_looked(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PERPS_ACTORS_DATA", str(tmp_path))
    command = [sys.executable, "-m", "benchmarks", "--quick", "decode"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert f"no recordings in {tmp_path}" in done.stderr
