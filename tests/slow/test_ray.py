"""--engine ray on a local cluster of two workers, one of them killed on the way: the same bytes again."""

import os
import shutil
import signal
import threading
import time

import pytest

from gendeg.build.build import build
from tests.builds import finished_build, log_rows, small_build, tree

pytestmark = pytest.mark.slow
ray = pytest.importorskip("ray", reason="ray is an optional extra")


def test_a_killed_worker_changes_nothing(tmp_path):
    finished = finished_build()
    shutil.copytree(finished / "photos", tmp_path / "photos")
    config, killed = small_build(tmp_path, engine="ray"), []

    def kill_one() -> None:
        deadline = time.monotonic() + 600
        while not killed and time.monotonic() < deadline:
            busy = [row["rank"] for row in log_rows(config.out) if row["event"] == "batch"]
            if busy and busy[-1] != 0:  # a worker's rank is its process number
                os.kill(busy[-1], signal.SIGKILL)
                killed.append(busy[-1])
            time.sleep(0.005)

    paths = os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])
    ray.init(num_cpus=2, log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": paths}})
    killer = threading.Thread(target=kill_one)
    killer.start()
    try:
        built = build(config)
    finally:
        killer.join()
        ray.shutdown()
    assert built is not None and built.totals.written == built.made == 20 and len(killed) == 1
    workers = {row["rank"] for row in log_rows(config.out) if row["event"] == "batch"}
    assert len(workers) >= 2 and killed[0] in workers
    assert tree(config.out) == tree(finished / "out")
