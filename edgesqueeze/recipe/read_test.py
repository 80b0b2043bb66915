import sys
import textwrap

import pytest

from edgesqueeze import recipe as module
from edgesqueeze.errors import RecipeError
from edgesqueeze.recipe.read import FLAGS, load_recipe, parse_recipe
from edgesqueeze.recipe.sections import (
    Aware,
    Bias,
    Bits,
    Channels,
    Cluster,
    DataOptions,
    Equalize,
    Finetune,
    Limits,
    Prune,
    Quantize,
    Recipe,
    Round,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NAN = float("nan")
SECTIONS = {
    "equalize": Equalize,
    "channels": Channels,
    "prune": Prune,
    "bits": Bits,
    "cluster": Cluster,
    "round": Round,
    "bias": Bias,
    "aware": Aware,
    "finetune": Finetune,
    "quantize": Quantize,
    "data": DataOptions,
    "limits": Limits,
}
PRUNE_KEYS = {"sparsity", "schedule", "structure", "block", "include", "exclude", "first_and_last"}


BUDGETS = ("latency_ms", "flash_kib", "ram_kib")
MIXED = ("budget_kib", "max_error")


def _documented():
    """The recipe in the module's docstring."""
    text = module.__doc__.split("::\n", 1)[1]
    return tomllib.loads(textwrap.dedent(text))


def test_the_documented_recipe_has_every_key_at_its_default():
    documented = _documented()
    assert set(SECTIONS) == set(Recipe.model_fields) - {"seed"}
    for section, record in SECTIONS.items():
        in_place_of_share = {*BUDGETS, *MIXED} & set(record.model_fields)
        assert set(documented[section]) == set(record.model_fields) - in_place_of_share
        assert all(f"# {name} = " in module.__doc__ for name in in_place_of_share)
    left_out = (Equalize, Channels, Prune, Bits, Cluster, Round, Bias, Aware)
    wanted = Recipe.model_validate({name: one() for name, one in SECTIONS.items() if one in left_out})
    unset = {
        "channels": {"share": None, "step": None},
        "finetune": {"epochs": None, "learning_rate": None, "augment": None},
        "prune": {"structure": None},
        "quantize": {"mode": None, "io": None},
        "limits": {"max_accuracy_drop": None},
    }
    defaults = {
        name: {**value, **unset.get(name, {})} if isinstance(value, dict) else value
        for name, value in documented.items()
    }
    assert parse_recipe(defaults) == wanted
    assert parse_recipe(documented).limits == Limits(max_accuracy_drop=0.01)


def test_without_anything_there_is_no_pruning_and_no_clustering(tmp_path):
    assert load_recipe() == Recipe()
    path = tmp_path / "recipe.toml"
    path.write_text("")
    assert load_recipe(path) == Recipe()
    assert Recipe().prune is Recipe().cluster is None


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("channels", 0.7),
        ("sparsity", 0.7),
        ("structure", "device"),
        ("clusters", 8),
        ("quantize", "int16x8"),
        ("io", "uint8"),
        ("epochs", 0),
        ("seed", 7),
        ("max_accuracy_drop", 0.0),
        ("evaluation_samples", 50),
        ("lift_normalization", True),
    ],
)
def test_every_flag_lands_and_wins_over_the_file(tmp_path, flag, value):
    path = tmp_path / "recipe.toml"
    path.write_text(
        "seed = 3\n[channels]\nshare = 0.25\n"
        '[prune]\nsparsity = 0.25\nschedule = "constant"\n[cluster]\nclusters = 32\n'
        '[quantize]\nmode = "none"\nio = "int8"\n[finetune]\nepochs = 9\n[limits]\nmax_accuracy_drop = 0.5\n'
    )
    plain = load_recipe(path).model_dump()
    found = load_recipe(path, {flag: value, "unset": None}).model_dump()
    *sections, key = FLAGS[flag]
    changed, original = found, plain
    for section in sections:
        changed, original = changed[section], original[section]
    assert changed[key] == value != original[key]
    changed[key] = original[key]
    assert found == plain


def test_the_flags_tested_are_all_flags():
    tested = {"channels", "sparsity", "structure", "clusters", "bits", "quantize", "io", "epochs", "seed"}
    tested |= {"aware", "calibration", "max_accuracy_drop", "evaluation_samples", "lift_normalization"}
    assert set(FLAGS) == tested


def test_a_flag_opens_its_section():
    assert Channels(latency_ms=5, ram_kib=3).budgets == {"latency_ms": 5, "ram_kib": 3}
    assert load_recipe(None, {"channels": 0.7}).channels == Channels(share=0.7)
    assert load_recipe(None, {"sparsity": 0.7}).prune == Prune(sparsity=0.7)
    assert load_recipe(None, {"clusters": 4}).cluster == Cluster(clusters=4)
    assert load_recipe(None, {"bits": 4}).bits == Bits(weights=4)
    assert load_recipe(None, {"aware": True}).aware == Aware()
    assert load_recipe(None, {"calibration": "mse"}).quantize == Quantize(calibration="mse")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"prun": {}}, "unknown key 'prun'; did you mean 'prune'"),
        ({"prune": {"sparcity": 0.5}}, r"unknown key 'prune\.sparcity'; did you mean 'sparsity'"),
        ({"cluster": {"cluster": 16}}, r"unknown key 'cluster\.cluster'; did you mean 'clusters'"),
        ({"quantize": {"type": "int8"}}, r"unknown key 'quantize\.type'"),
        ({"sparsity": 0.5}, "unknown key 'sparsity'"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_valid_one(raw, message):
    with pytest.raises(RecipeError, match=message) as caught:
        parse_recipe(raw)
    section = next(iter(raw))
    expected = SECTIONS[section].model_fields if section in SECTIONS else Recipe.model_fields
    assert caught.value.expected == "one of " + ", ".join(sorted(expected))


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        *(("channels", "share", value) for value in (0, 1, 1.5, -0.1, NAN, float("inf"), "half", [])),
        *(("channels", "step", value) for value in (0, -4, 257, 1.5, "all")),
        *(("channels", name, value) for name in BUDGETS for value in (0, -1, NAN, float("inf"), "x")),
        *(("bits", name, value) for name in MIXED for value in (0, -1, NAN, float("inf"), "x")),
        *(("equalize", "clipped", value) for value in (-0.1, 1.1, NAN)),
        ("channels", "importance", "random"),
        ("channels", "include", [""]),
        *(("prune", "sparsity", value) for value in (0, 1, 1.5, -0.1, NAN, float("inf"), "half", None, [])),
        *(("prune", "block", value) for value in ([0, 4], [4], [1, 2, 3], [1, 65], "1x4")),
        *(("cluster", "clusters", value) for value in (0, 1, 256, -3, 16.5, "many", NAN)),
        *(("finetune", "epochs", value) for value in (-1, 0.5, "x", 10_001)),
        *(("finetune", "learning_rate", value) for value in (0, -1e-3, NAN, 1.1)),
        *(("finetune", "batch_size", value) for value in (0, -1)),
        ("finetune", "loss", ""),
        *(("finetune", "labels", value) for value in (-0.1, 1.1, NAN)),
        *(("finetune", "augment", value) for value in ("flip", ["rotate"])),
        *(("quantize", "mode", value) for value in ("int4", "", 8)),
        ("quantize", "io", "float16"),
        ("quantize", "calibration_samples", 0),
        ("quantize", "calibration", "median"),
        *(("quantize", "percentile", value) for value in (0.4, 1.01, NAN)),
        *(("data", "scale", value) for value in (NAN, float("inf"))),
        ("data", "evaluation_samples", 0),
        *(("limits", "max_accuracy_drop", value) for value in (-0.1, float("inf"), NAN)),
        ("prune", "schedule", "linear"),
        ("prune", "structure", "4:2"),
        ("prune", "first_and_last", True),
        ("prune", "include", "*"),
        ("prune", "exclude", [""]),
        ("cluster", "init", "kmeans"),
        ("aware", "learn_ranges", "yes please"),
    ],
)
def test_a_value_out_of_range_or_of_the_wrong_type_is_named(section, key, value):
    with pytest.raises(RecipeError) as caught:
        parse_recipe({section: {key: value}}, "my.toml")
    assert caught.value.problem.startswith(f"my.toml: {section}.{key}")
    assert caught.value.expected
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("key", "value"), [("seed", -1), ("seed", 2**31), ("prune", 0.5), ("prune", [])])
def test_a_wrong_value_at_the_top_is_named(key, value):
    with pytest.raises(RecipeError, match=f"the recipe: {key}"):
        parse_recipe({key: value})


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"prune": {"sparsity": 0.7, "structure": "2:4"}}, "2:4 means a sparsity of 0.5"),
        ({"prune": {}, "cluster": {"clusters": 2}}, "at least 3 clusters"),
        ({"aware": {}, "quantize": {"mode": "int16x8"}}, "mode is int16x8"),
        ({"quantize": {"mode": "int16x8", "calibration": "mse"}}, "calibration = mse goes with mode int8"),
        ({"data": {"scale": 0}}, "scale is 0"),
        ({"channels": {"share": 0.5, "latency_ms": 5}}, "share and latency_ms both say"),
        ({"finetune": {"labels": 0.5, "loss": "mse"}}, "the loss is mse"),
        ({"finetune": {"labels": 0.5, "augment": ["mix"]}}, "no label for a mixture"),
        ({"finetune": {"loss": "mse", "augment": ["flip", "mix"]}}, "no label for a mixture"),
    ],
)
def test_what_cannot_go_together_is_explained(raw, message):
    with pytest.raises(RecipeError, match=message):
        parse_recipe(raw)


def test_two_clusters_without_pruning_are_possible():
    assert parse_recipe({"cluster": {"clusters": 2}}).cluster.clusters == 2


def test_several_mistakes_are_counted():
    with pytest.raises(RecipeError, match=r"and 1 more"):
        parse_recipe({"prune": {"sparsity": 2}, "cluster": {"clusters": 1}})


@pytest.mark.parametrize(
    "content", [b"[prune", b"a = ", b"\xff\xfe", b"[prune]\n[prune]\n", b"x = " + b"[" * 5000]
)
def test_a_broken_file_is_an_error_that_names_it(tmp_path, content):
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=r"mine\.toml") as caught:
        load_recipe(path)
    assert "TOML" in caught.value.expected


def test_a_file_that_is_not_there_or_a_folder_is_an_error(tmp_path):
    with pytest.raises(RecipeError, match="there is no recipe"):
        load_recipe(tmp_path / "none.toml")
    with pytest.raises(RecipeError, match="cannot read"):
        load_recipe(tmp_path)


def test_a_section_that_is_no_table_is_an_error_with_a_flag_too(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text("prune = 0.5\n")
    with pytest.raises(RecipeError, match=r"\[prune\] is not a section"):
        load_recipe(path, {"sparsity": 0.5})


def test_records_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Recipe().seed = 3
