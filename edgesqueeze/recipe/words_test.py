import pytest

from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.recipe.words import words_of


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({}, "quantized only"),
        (
            {"cluster": {"clusters": 16}, "prune": {"sparsity": 0.5}},
            "prune sparsity=0.5, cluster clusters=16",
        ),
        ({"bits": {}, "equalize": {}}, "equalize, bits"),
        (
            {"prune": {"sparsity": 0.6, "structure": "block", "exclude": ["stem", "head"]}},
            "prune sparsity=0.6 structure=block without stem head",
        ),
        ({"channels": {"latency_ms": 5.0}}, "channels latency_ms=5.0"),
    ],
)
def test_recipes_in_words(recipe, words):
    assert words_of(parse_recipe(recipe)) == words
