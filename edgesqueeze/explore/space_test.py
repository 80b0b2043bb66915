import pytest

from edgesqueeze.base.lazy import Lazy
from edgesqueeze.errors import RecipeError
from edgesqueeze.explore.space import Space, space_of
from edgesqueeze.recipe.draws import Draw, Search
from edgesqueeze.recipe.passes import PASSES, Pass
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.recipe.sections import Recipe

SPACE, _ = space_of(Recipe())


class Highest:
    """Draws the last choice and the highest number, and remembers the names."""

    def __init__(self):
        self.names = []

    def suggest_categorical(self, name, choices):
        self.names.append(name)
        return choices[-1]

    def suggest_int(self, name, low, high, *, step=1, log=False):
        self.names.append(name)
        return high

    suggest_float = suggest_int


def test_every_pass_that_can_be_searched_is_in_the_space():
    searched = [row.name for row in PASSES if row.search is not None]
    assert [row.name for row in SPACE.rows] == searched
    assert {"channels", "prune", "cluster", "bits"} <= set(searched)
    drawer = Highest()
    SPACE.draw(drawer)
    assert set(searched) <= set(drawer.names)


@pytest.mark.parametrize("row", [row for row in PASSES if row.search], ids=lambda row: row.name)
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_what_a_row_draws_is_a_recipe(row, share):
    recipe = SPACE.recipe(SPACE.alone(row, share))
    section = getattr(recipe, row.name)
    assert section is not None
    assert {one.name for one in PASSES if one.search and getattr(recipe, one.name) is not None} == {row.name}
    if row.search.spares:
        assert section.exclude == ()


def test_draws_are_recipes():
    recipe = SPACE.recipe({"prune": True, "prune.sparsity": 0.85, "channels": False})
    assert recipe == parse_recipe({"prune": {"sparsity": 0.85}})


def test_layers_are_spared_the_most_sensitive_first():
    space = Space(SPACE.base, SPACE.rows, {"prune": ("stem", "last")})
    drawn = {"prune": True, "prune.sparsity": 0.6, "prune.spared": 1}
    assert space.recipe(drawn).prune.exclude == ("stem",)
    assert space.recipe({**drawn, "prune.spared": 2}).prune.exclude == ("stem", "last")
    assert space.recipe({**drawn, "prune.spared": 0}).prune.exclude == ()


def test_what_the_base_says_is_not_searched():
    space, left_out = space_of(parse_recipe({"prune": {"sparsity": 0.5}}))
    assert "prune" in left_out
    assert "prune" not in [row.name for row in space.rows]
    assert space.recipe({"channels": False}).prune.sparsity == 0.5


def test_the_first_generation_has_what_is_known_to_be_good():
    first = list(SPACE.first())
    recipes = [SPACE.recipe(params) for params in first]
    assert recipes[0] == Recipe()
    wanted = parse_recipe({"prune": {"sparsity": 0.6}, "cluster": {"clusters": 16}})
    assert wanted in recipes
    assert len({str(params) for params in first}) == len(first)


def test_a_pass_for_the_accuracy_goes_with_all_others():
    helper = Pass("finetune", "", Lazy("x:y"), lambda recipe: None, search=Search(saves=False))
    space = Space(Recipe(), (*SPACE.rows, helper))
    with_it = [params for params in space.first() if params["finetune"]]
    saving = [row for row in SPACE.rows if row.search.saves]
    assert with_it and all(params[row.name] for params in with_it for row in saving)


def test_values_that_do_not_go_together_are_refused():
    space, _ = space_of(parse_recipe({"quantize": {"mode": "float16"}}))
    bits = next(row for row in space.rows if row.name == "bits")
    with pytest.raises(RecipeError):
        space.recipe(space.alone(bits, 0.5))


def test_as_strong_is_the_same_passes_that_do_as_much():
    space = Space(SPACE.base, SPACE.rows, {"prune": ("stem",)})
    off = {row.name: False for row in SPACE.rows}
    mild = {**off, "prune": True, "prune.sparsity": 0.5, "prune.spared": 0}
    assert space.is_as_strong({**mild, "prune.sparsity": 0.6}, mild)
    assert space.is_as_strong(mild, mild)
    assert not space.is_as_strong(mild, {**mild, "prune.sparsity": 0.6})
    assert not space.is_as_strong({**mild, "prune.spared": 1}, mild)
    assert not space.is_as_strong(mild, off)
    few = {**off, "cluster": True, "cluster.clusters": 8}
    assert space.is_as_strong(few, {**few, "cluster.clusters": 16})


def test_what_saves_as_much_has_all_passes_that_save():
    strong = SPACE.alone(next(row for row in SPACE.rows if row.name == "prune"), 1.0)
    weak = {**strong, "prune.sparsity": 0.5}
    none = {name: False for name in strong if "." not in name}
    both = {**strong, "channels": True, "channels.share": 0.4, "equalize": True}
    assert SPACE.saves_as_much(strong, weak) and not SPACE.saves_as_much(weak, strong)
    assert SPACE.saves_as_much(both, weak) and not SPACE.saves_as_much(strong, both)
    assert SPACE.saves_as_much(none, {**none, "equalize": True}) and SPACE.saves_as_much(strong, none)
    most = SPACE.strongest({"channels": 0.5})
    assert SPACE.saves_as_much(most, both) and not most["equalize"]
    assert (most["channels.share"], most["prune.sparsity"], most["cluster.clusters"]) == (0.45, 0.9, 4)
    assert SPACE.helps_alike(strong, none) and not SPACE.helps_alike(both, strong)


@pytest.mark.parametrize(
    ("draw", "share", "value"),
    [
        (Draw(0.1, 0.8, step=0.05), 0.5, 0.45),
        (Draw(0.1, 0.8, step=0.05), 1.0, 0.8),
        (Draw(64, 4, even_ratios=True), 0.5, 16),
        (Draw(8, 2, step=1), 0.5, 5),
        (Draw(choices=("a", "b")), 0.5, "a"),
    ],
)
def test_the_value_at_a_share_of_the_way(draw, share, value):
    assert draw.at(share) == pytest.approx(value) if isinstance(value, float) else draw.at(share) == value
