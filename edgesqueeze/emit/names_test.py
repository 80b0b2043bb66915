import re

import pytest

from edgesqueeze.emit.names import RESERVED, c_name, camel_case, check_c_name, module_name
from edgesqueeze.errors import UsageError


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("keyword_spotting", "keyword_spotting"),
        ("Keyword Spotting v1.2", "keyword_spotting_v1_2"),
        ("3layer", "model_3layer"),
        ("int", "model_int"),
        ("class", "model_class"),
        ("XOR", "model_xor"),
        ("and", "model_and"),
        ("main", "model_main"),
        ("tflite", "model_tflite"),
        ("__init__", "init"),
        ("_Bool", "model_bool"),
        ("a__b", "a_b"),
        ("café-modèle", "cafe_modele"),
        ("", "model"),
        ("...", None),
        ("模型", None),
        ("x" * 200, None),
        ("\n*/ #define", "define"),
    ],
)
def test_any_stem_becomes_a_valid_name(stem, name):
    found = c_name(stem)
    if name is not None:
        assert found == name
    assert check_c_name(found) == found


def test_different_stems_that_say_nothing_in_ascii_stay_different():
    assert c_name("模型") != c_name("模特")
    assert c_name("x" * 100 + "a") != c_name("x" * 100 + "b")


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("", "at least one character"),
        ("9lives", "start with a digit"),
        ("keyword spotting", "letters"),
        ("größe", "letters"),
        ("_x", "start with an underscore"),
        ("_Reserved", "start with an underscore"),
        ("a__b", "two underscores"),
        ("while", "keyword"),
        ("bitand", "keyword"),
        ("co_await", "keyword"),
        ("a\n", "letters"),
        ("x" * 64, "at most 63"),
    ],
)
def test_an_invalid_name_from_the_user_is_refused_with_the_rule_and_a_suggestion(name, rule):
    with pytest.raises(UsageError, match=rule) as caught:
        check_c_name(name)
    suggestion = caught.value.hint.split()[0]
    assert check_c_name(suggestion) == suggestion


def test_valid_names_are_taken_as_they_are():
    assert check_c_name("Kws_v2") == "Kws_v2"


@pytest.mark.parametrize(
    ("name", "module"),
    [("kws", "kws_model"), ("model", "model"), ("kws_model", "kws_model"), ("remodel", "remodel_model")],
)
def test_module_names_say_model_once(name, module):
    assert module_name(name) == module


def test_no_module_name_is_reserved():
    assert not {module_name(name) for name in RESERVED} & RESERVED
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", c_name(name)) for name in RESERVED)


def test_tensor_names_become_parts_of_constants():
    assert camel_case("accel/x:0") == "AccelX0"
    assert camel_case("serving_default_input_1:0") == "ServingDefaultInput10"
