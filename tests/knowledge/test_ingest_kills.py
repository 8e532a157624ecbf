import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.knowledge.ingesting import picture, run, texts, write_rows

ROOT = Path(__file__).parents[2]
KILLS = 12

# Every line names a data folder and is a run in a process of its own. They are forked, so that the
# imports are paid for once; small transactions and batches give a kill many places to land.
LAUNCHER = """
import os, sys, time, zlib
from pathlib import Path
from knowledge import ingest, update
from knowledge.library import Library
from tests.knowledge.list_index import ListPlace

class SlowEncoder:
    id = "slow"

    def count(self, text):
        return len(text.split())

    def embed_documents(self, texts):
        time.sleep(0.01)
        return [[float(zlib.crc32(text.encode())), 1.0] for text in texts]

update._TRANSACTION, ingest._BATCH = 20, 8
# What is loaded at first use, once for all runs.
update._rules_digest(), update.harmful_advice("x"), update.remove_personal_data("x")
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        with Library.open(Path(line.strip()) / "library.db") as library:
            ingest.ingest(
                [sys.argv[1]],
                library,
                SlowEncoder(),
                ListPlace(),
                collection="notes",
                progress=False,
            )
        os._exit(0)
    print(pid, flush=True)
    _, status = os.waitpid(pid, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class Runs:
    """Starts runs, and kills them."""

    def __init__(self, launcher: "subprocess.Popen[str]") -> None:
        assert launcher.stdin is not None
        assert launcher.stdout is not None
        self.input, self.output = launcher.stdin, launcher.stdout

    def __call__(self, data: Path, kill_after: float | None = None) -> int:
        self.input.write(f"{data}\n")
        self.input.flush()
        pid = int(self.output.readline())
        if kill_after is not None:
            time.sleep(kill_after)
            with suppress(ProcessLookupError):  # it has ended
                os.kill(pid, signal.SIGKILL)
        return int(self.output.readline())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_a_run_that_is_killed_anywhere_goes_on_where_it_was(tmp_path: Path) -> None:
    source = tmp_path / "source"
    data, before, unbroken = (tmp_path / name for name in ("data", "before", "unbroken"))
    # From an older version to a newer one, so that there is something to change and to remove.
    old = {str(i): f"Old text number {i}." for i in range(100)}
    new = {str(i): f"{'Old' if i % 4 else 'New'} text number {i}." for i in range(50, 450)}
    new["again"] = "new TEXT, number 52"
    chance, states = random.Random(), set[tuple[int, int]]()
    command = [sys.executable, "-c", LAUNCHER, str(source)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as launcher:
        start = Runs(launcher)
        write_rows(source / "a.jsonl", old)
        assert start(before) == 0
        write_rows(source / "a.jsonl", new)
        began = time.monotonic()
        assert start(unbroken) == 0
        longest = (time.monotonic() - began) / 3
        expected = picture(unbroken)

        code, kills = 0, 0
        while code == 0 or kills < KILLS:
            if code == 0:
                shutil.copytree(before, data, dirs_exist_ok=True)
            code = start(data, kill_after=chance.uniform(0, longest))
            # Looked at between the runs: what is there must be readable at any time.
            held = picture(data)
            if code == 0:
                assert held == expected
            else:
                assert code == -signal.SIGKILL
                kills += 1
                states.add((len(held["documents"]), len(held["vectors"])))
        assert start(data) == 0

    assert len(states) > 2, f"the kills came at the same place: {states}"
    assert picture(data) == expected
    assert set(texts(data)) == {str(i) for i in range(50, 450)}


def test_the_lock_of_a_killed_run_holds_nobody_up(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "a.jsonl", {"1": "Some text."})
    script = (
        "import sys, time; from filelock import FileLock\n"
        "with FileLock(sys.argv[1]): print('held', flush=True); time.sleep(60)"
    )
    (tmp_path / "data").mkdir()
    command = [sys.executable, "-c", script, str(tmp_path / "data" / "library.lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
        finally:
            holder.kill()
    said: list[str] = []
    assert run(tmp_path / "data", source, say=said.append).added == ["notes/1"]
    assert said == []
