"""LightGBM's own library, against the package around it."""

import subprocess
import sys
import threading

import lightgbm
import numpy as np
import pytest

from shared import booster as module
from shared.booster import Booster
from tests.boosted import KINDS, trained


@pytest.fixture(scope="module", params=["missing", "multiclass", "regression"])
def pair(request):
    package, matrix = trained(KINDS[request.param], rows=2000)
    text = package.model_to_string()
    return lightgbm.Booster(model_str=text), Booster(text), matrix


def predicted(booster, matrix, *, row_major):
    scores = np.empty((len(matrix), booster.classes))
    addresses = matrix.ctypes.data, scores.ctypes.data
    booster.predict(len(matrix), *addresses, row_major=row_major)
    return scores if booster.classes > 1 else scores.reshape(-1)


def test_both_orders_of_a_matrix_score_as_the_package_does(pair):
    package, booster, matrix = pair
    expected = package.predict(matrix, num_threads=1)
    by_row, by_column = np.ascontiguousarray(matrix), np.asfortranarray(matrix)
    np.testing.assert_array_equal(predicted(booster, by_row, row_major=True), expected)
    np.testing.assert_array_equal(predicted(booster, by_column, row_major=False), expected)


def test_single_rows_score_as_the_package_does(pair):
    package, booster, matrix = pair
    scores = [booster.predict_row(row) for row in matrix.tolist()]
    np.testing.assert_array_equal(scores, package.predict(matrix, num_threads=1))
    assert isinstance(scores[0], list) == (booster.classes > 1)


def test_threads_share_a_booster(pair):
    package, booster, matrix = pair
    expected = package.predict(matrix, num_threads=1)
    scores = [None] * len(matrix)

    def score(part):
        for row in range(part, len(matrix), 4):
            scores[row] = booster.predict_row(matrix[row].tolist())

    threads = [threading.Thread(target=score, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(scores, expected)


@pytest.mark.parametrize("row", [[], [1.0] * 7, [1.0] * 9, [None] * 8, ["1"] * 8])
def test_a_row_of_anything_but_as_many_numbers_is_refused(pair, row):
    with pytest.raises(ValueError, match="a row is 8 numbers"):
        pair[1].predict_row(row)


def test_a_text_that_lightgbm_refuses_is_refused_with_its_words(capfd):
    with pytest.raises(ValueError, match="LightGBM: Model file doesn't specify the number of"):
        Booster("no model\nend of trees\n")
    capfd.readouterr()


def test_a_text_that_was_cut_is_refused_before_lightgbm_reads_past_its_end():
    text = trained(KINDS["single_tree"], rows=500)[0].model_to_string()
    for share in (0.0, 0.3, 0.6, 0.9):
        with pytest.raises(ValueError, match="cut off"):
            Booster(text[: int(share * text.index("\nend of parameters"))])
    head, _, tail = text.partition("\nparameters:")
    assert Booster(head + tail.partition("end of parameters\n")[2]).features == 8


def test_the_librarys_memory_goes_with_the_last_reference(monkeypatch):
    freed, free = [], module._free
    monkeypatch.setattr(module, "_free", lambda *held: (freed.append(held), free(*held)))
    booster = Booster(trained(KINDS["single_tree"], rows=500)[0].model_to_string())
    held = booster._handle, booster._single
    assert not freed
    assert all(handle.value for handle in held)
    del booster
    assert [handles for _, *handles in freed] == [list(held)]


def test_neither_the_package_nor_numpy_is_imported():
    code = (
        "import sys, shared.booster; shared.booster._libraries();"
        "print(sorted({'numpy', 'lightgbm', 'sklearn', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
