import multiprocessing
import os
import signal

import pytest
from filelock import Timeout

from pipeline.file_lock import file_lock

FORK = multiprocessing.get_context("fork")


def hold(path, held):
    with file_lock(path):
        held.set()
        signal.pause()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "some.lock"


@pytest.fixture
def holder(path):
    held = FORK.Event()
    process = FORK.Process(target=hold, args=(path, held))
    process.start()
    assert held.wait(30)
    yield process
    process.kill()
    process.join()


@pytest.mark.usefixtures("holder")
def test_nobody_else_gets_a_lock_that_is_held(path):
    with pytest.raises(Timeout), file_lock(path, wait_s=0.1):
        pass


def test_a_holder_that_dies_frees_its_lock(path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()

    with file_lock(path, wait_s=5):
        held = True

    assert held
