from edgesqueeze.emit.scaling import Scaling
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.metadata import read_metadata
from edgesqueeze.recipe.sections import Recipe
from edgesqueeze.report.describe import described
from edgesqueeze.report.scaling import metadata_scalings
from edgesqueeze.target.load import load_target
from edgesqueeze.target.preferences import fill_preferences
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_two_heads

RECIPE = fill_preferences(Recipe(), load_target("rpi4"))


def test_normalization_labels_and_kind_are_written():
    model = parse_tflite(tiny_cnn(), "door")
    name = model.main.input_tensors[0].name
    scalings = [Scaling(name, (0.25,), (-2.0,))]
    told, findings = described(
        model, RECIPE, scalings, outputs=["who"], labels=["a", "b", "c", "d"], images=True
    )
    found = read_metadata(told)
    assert (found.name, found.version[:14], len(found.version)) == ("door", "recipe sha256:", 14 + 64)
    assert (found.inputs[0].content, found.inputs[0].mean, found.inputs[0].std) == ("image", (8.0,), (4.0,))
    assert (found.outputs[0].name, found.outputs[0].labels) == ("who", ("a", "b", "c", "d"))
    assert findings == ()
    assert metadata_scalings(told) == tuple(scalings)


def test_labels_go_to_the_output_that_has_as_many_values():
    model = parse_tflite(tiny_two_heads())
    told, findings = described(model, RECIPE, (), labels=["big"])
    assert [port.labels for port in read_metadata(told).outputs] == [(), ("big",)]
    assert findings == ()
    told, findings = described(model, RECIPE, (), labels=["a", "b"])
    assert [port.labels for port in read_metadata(told).outputs] == [(), ()]
    assert [(one.code, one.severity) for one in findings] == [("labels-left-out", "note")]
    assert "has 4 and 1 values" in findings[0].message
