import numpy as np
import pytest
import tf_keras

from edgesqueeze.errors import RecipeError
from edgesqueeze.recipe.passes import PASSES, share_steps
from edgesqueeze.recipe.sections import Finetune
from edgesqueeze.squeeze.passes.rounds import FIRST_STEPS, MOST_STEPS
from edgesqueeze.squeeze.passes.state import Trained
from edgesqueeze.squeeze.passes.trainings import Trainings
from runtime_tests.support.tiny_keras import randomize, source_of

X = np.random.default_rng(0).normal(0, 1, (640, 2)).astype(np.float32)


def _trainings(**options):
    image = tf_keras.Input((2,), name="image")
    teacher = randomize(tf_keras.Model(image, tf_keras.layers.Dense(3, activation="softmax")(image)))
    return Trainings(teacher, source_of(teacher, X), Finetune(**options), PASSES, 0)


def _found(trainings, **falling):
    trained = {name: Trained(steps=400, loss=0.1, falling=one) for name, one in falling.items()}
    return {one.code: one.message for one in trainings.findings(trained)}


def test_epochs_say_how_many_steps_there_are():
    assert sum(_trainings(epochs=7).steps.values()) == 7 * 10
    assert sum(_trainings(epochs=3, batch_size=100).steps.values()) == 3 * 7


def test_without_epochs_training_begins_with_the_first_steps():
    steps = _trainings().steps
    assert sum(steps.values()) == FIRST_STEPS
    assert steps["prune"] > steps["cluster"] > steps["settle"] > 0


def test_no_epochs_train_nothing():
    trainings = _trainings(epochs=0, loss="nonsense")
    assert trainings.trainer("prune", None)(object(), 0) is None


def test_the_loss_is_looked_at_before_the_work():
    with pytest.raises(RecipeError, match="there is no loss"):
        _trainings(loss="nonsense")


def test_findings_say_where_training_stopped_and_where_it_would_go_on():
    most = share_steps(MOST_STEPS, PASSES)["prune"]
    found = _found(_trainings(), prune=False, cluster=True)
    assert f"prune after 400 of {most:,} steps (800 steps in all, 80 epochs)" in found["training-stopped"]
    assert "cluster" not in found["training-stopped"].split("(")[0]
    assert "still falling in cluster: more epochs may help (800 steps" in found["training-unfinished"]
    assert len(found) == 2


def test_findings_name_only_what_happened():
    assert set(_found(_trainings(), prune=False)) == {"training-stopped"}
    assert set(_found(_trainings(), prune=True)) == {"training-unfinished"}
    assert not _found(_trainings())


@pytest.mark.parametrize(("passes", "told"), [(1, True), (2, False)])
def test_few_steps_that_were_asked_for_are_named(passes, told):
    falling = dict.fromkeys([row.name for row in PASSES[:passes]], False)
    found = _found(_trainings(epochs=40), **falling)
    assert set(found) == ({"training-short"} if told else set())
    if told:
        assert "400 training steps in 40 epochs are few" in found["training-short"]


def test_steps_take_the_place_of_what_the_options_say():
    image = tf_keras.Input((2,), name="image")
    teacher = randomize(tf_keras.Model(image, tf_keras.layers.Dense(3, activation="softmax")(image)))
    for options in (Finetune(), Finetune(epochs=7)):
        trainings = Trainings(teacher, source_of(teacher, X), options, PASSES, 0, 30)
        assert sum(trainings.steps.values()) == 30
    trained = Trainings(teacher, source_of(teacher, X), Finetune(), PASSES, 0, 0)
    assert trained.trainer("prune", None)(object(), 0) is None


def test_layers_that_are_divided_by_factors_are_not_held_against_those_of_a_sure_teacher():
    image = tf_keras.Input((2,), name="image")
    teacher = randomize(tf_keras.Model(image, tf_keras.layers.Dense(3, activation="softmax")(image)))
    teacher.set_weights([value * 300 for value in teacher.get_weights()])
    pairs = [row for row in PASSES if row.name in ("equalize", "prune")]
    found = [
        Trainings(teacher, source_of(teacher, X), Finetune(), rows, 0)._taught.inside
        for rows in (pairs[1:], pairs)
    ]
    assert found == [True, False]
