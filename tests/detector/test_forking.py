"""Airflow runs tasks in children of a server that has imported torch already."""

import multiprocessing

from pipeline.data.split import Block
from pipeline.detector.training.fit import fit
from tests.detector.plant import SMALL, normal_rows, schema


def fit_in_child(answers):
    brief = SMALL.model_copy(update={"steps": 20})
    fitted = fit(Block("train", normal_rows(300)), schema(), brief, threads=2)
    answers.put(fitted.facts.best_step)


def test_a_fit_in_the_child_of_a_server_with_torch_loaded_does_not_hang():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch"])
    answers = context.Queue()
    children = [context.Process(target=fit_in_child, args=(answers,)) for _ in range(2)]

    for child in children:
        child.start()
    steps = [answers.get(timeout=120) for _ in children]
    for child in children:
        child.join(timeout=30)

    assert steps[0] == steps[1] > 0
    assert [child.exitcode for child in children] == [0, 0]
