"""`search_and_retrain`: interrupted, continued, refused."""

import keras
import pytest
from scenario_rows import assert_equal, make_batches, make_model, values

from keras_infnet.training import FlowSearch, MeanAUC, search_and_retrain


class Stop(keras.callbacks.Callback):
    """Interrupts the second stage, the first not having it."""

    def __init__(self, at=0):
        super().__init__()
        self.at = at

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.at:
            raise KeyboardInterrupt


def test_both_stages_resume(tmp_path):
    """Interrupted in both stages, the call ends as an uninterrupted one."""

    class StoppedSearch(FlowSearch):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt
            super().on_epoch_begin(epoch, logs)

    def run(directory, search=FlowSearch, *callbacks):
        train, valid = make_batches(), make_batches(seed=5, shuffle=False)
        ranker, history = search_and_retrain(
            make_model(train, dropout=0.2),
            train,
            valid,
            search(epochs=2),
            epochs=2,
            directory=directory,
            callbacks=list(callbacks),
            verbose=0,
        )
        return values(ranker.weights), history.history

    # Without a directory the rows come in the same order.
    whole, history = run(None)
    assert len(history["loss"]) == 2
    found = tmp_path / "flows.npz"
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, StoppedSearch)
    assert not found.exists()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, FlowSearch, Stop(1))
    assert found.exists()
    resumed, _ = run(tmp_path)
    assert_equal(resumed, whole)
    assert not found.exists()


def test_what_a_search_found_is_not_taken_by_another(tmp_path):
    """Between the stages the flows lie in a file, with what made them."""

    def run(search, rows=120, callbacks=(), **settings):
        train = make_batches(rows)
        return search_and_retrain(
            make_model(train, **settings),
            train,
            search=search,
            directory=tmp_path,
            callbacks=list(callbacks),
            verbose=0,
        )

    with pytest.raises(KeyboardInterrupt):
        run(FlowSearch(epochs=2), callbacks=[Stop()])
    path = tmp_path / "flows.npz"
    for search, more, message in (
        (FlowSearch(epochs=3), {}, "another FlowSearch"),
        (FlowSearch(epochs=2), {"pruning": "sum"}, "another model"),
        (FlowSearch(epochs=2), {"rows": 96}, "another order of rows"),
    ):
        with pytest.raises(ValueError, match=f"flows.npz.*{message}"):
            run(search, **more)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="flows.npz cannot be read"):
        run(FlowSearch(epochs=2))
    path.write_bytes(whole)
    run(FlowSearch(epochs=2))
    assert not path.exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"epochs": 0}, "`epochs`"),
        ({"patience": 0}, "`patience`"),
        ({"tensorboard": True}, "needs a directory"),
        ({"epohs": 3}, "Did you mean 'epochs'"),
        ({"callbacks": [MeanAUC]}, "must hold instances"),
    ],
)
def test_the_second_stage_is_checked_before_the_first(more, message):
    batches = make_batches()
    search = FlowSearch(epochs=2)
    with pytest.raises(ValueError, match=message):
        search_and_retrain(
            make_model(batches), batches, search=search, verbose=0, **more
        )
    assert not search.finished
