"""Metadata: what TFLite Support writes is read, what we write is read back, and damage is said."""

import base64
import io
import random
import zipfile
import zlib

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.errors import TfliteError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.appended import appended_files, with_appended
from edgesqueeze.graph.int4 import with_int4
from edgesqueeze.graph.lean import lean
from edgesqueeze.graph.metadata import Metadata, PortMetadata, metadata_buffer, read_metadata
from edgesqueeze.graph.metadata_write import with_metadata
from edgesqueeze.graph.repack import pack, renamed, share_vectors
from edgesqueeze.graph.shapes import with_shapes
from edgesqueeze.runners import litert, tflm
from edgesqueeze.runners.samples import data_samples, random_data
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense, tiny_two_heads

# Made with the schema that TFLite Support 0.4.4 generates (its object API): a picture in RGB with three means
# and one deviation, ranges, which are not read, and a file of labels.
SUPPORT = (
    "c-l=+v2KD;6g?o(r!tVn!NGyi!5Er$w}rvU#JD(vl1M_-(ANehJ9O;O&+@P6;qroBa=7;$&b{v*#sF49@a$oNF-Gv<Lcw7M&map"
    "-32gx-@k4ZYj-miV=J&b3jEjAGObhUn^tpWMsOPwnft;|+OyEgwxralh(Y+d-C;Y(ZdaNXDM_AyT$4C7!*QJK+aV}0toMd^XFVa"
    "7f8I2=6c&hmsQ4+tzA91UyN{Onu8*RQumf;oOL(Wj`Zm^V@tIX~X{fmyIDg?e4EZ!8i?i;QA9lOiAhpw4b>o?1g483GK{aK{2S%"
    "1AW{<eo~cksov^sL1{@DE>8C&v"
)
PLANTS = {"plants.txt": b"oak\nelm\nash\nyew\n"}
SAID = Metadata(
    name="door",
    description="Who is there",
    version="recipe sha256:0123",
    author="somebody",
    license="CC0",
    inputs=(PortMetadata(name="picture", content="image", mean=(127.5,), std=(63.75,)),),
    outputs=(PortMetadata(name="who", labels=("cat", "dog", "Müller", "none")),),
)


def with_buffer(raw, content=None, files=None):
    record = schema.ModelT.InitFromPackedBuf(tiny_cnn() if content is None else content, 0)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(raw, np.uint8)
    entry.name, entry.buffer = b"TFLITE_METADATA", len(record.buffers)
    record.buffers.append(buffer)
    record.metadata = [entry]
    return parse_tflite(with_appended(pack(record, 1000), PLANTS if files is None else files))


def support():
    return zlib.decompress(base64.b85decode(SUPPORT))


def door():
    return with_metadata(parse_tflite(tiny_cnn(), "door"), SAID)


def test_what_tflite_support_writes_is_read():
    found = read_metadata(with_buffer(support()))
    assert (found.name, found.description, found.version) == ("Plants", "Which plant", "v3")
    assert (found.author, found.license, found.files) == ("A. Gardener", "CC0", ("plants.txt",))
    (picture,), (probability,) = found.inputs, found.outputs
    assert (picture.name, picture.description, picture.content) == ("picture", "RGB", "image")
    assert (picture.mean, picture.std) == ((127.5, 1.0, 2.0), (0.5, 0.5, 0.5))
    assert (probability.name, probability.labels) == ("probability", ("oak", "elm", "ash", "yew"))


def test_what_is_written_is_read_and_written_the_same_again():
    found = door()
    assert read_metadata(found) == SAID.model_copy(update={"files": ("labels.txt",)})
    assert found.content == door().content
    with zipfile.ZipFile(io.BytesIO(found.content)) as archive:
        assert archive.read("labels.txt").decode().split() == list(SAID.outputs[0].labels)
    other = with_metadata(found, SAID.model_copy(update={"outputs": (PortMetadata(name="x"),)}))
    assert (read_metadata(other).outputs[0].name, read_metadata(other).files) == ("x", ())


def test_each_list_of_labels_has_a_file():
    model = parse_tflite(tiny_two_heads())
    ports = tuple(
        PortMetadata(name=name, labels=tuple(labels)) for name, labels in (("a", "wxyz"), ("b", "v"))
    )
    said = Metadata(inputs=(PortMetadata(), PortMetadata()), outputs=ports)
    found = read_metadata(with_metadata(model, said))
    assert found.outputs == ports
    assert found.files == ("labels.txt", "labels_1.txt")


@pytest.mark.parametrize("runner", [litert.run, tflm.run], ids=["litert", "tflm"])
def test_outputs_stay_the_same_to_the_bit(runner):
    model, told = parse_tflite(tiny_cnn()), door()
    samples = data_samples(model, random_data(model, 4))
    for one, other in zip(runner(model, samples), runner(told, samples), strict=True):
        np.testing.assert_array_equal(one[0], other[0])


def test_a_model_that_says_nothing():
    assert read_metadata(parse_tflite(tiny_cnn())) is None
    assert with_appended(tiny_cnn(), {}) == tiny_cnn()
    alone = parse_tflite(with_appended(tiny_cnn(), {"metadata.json": b"{}"}))
    assert read_metadata(alone) == Metadata(files=("metadata.json",))


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda content: parse_tflite(share_vectors(content)),
        lambda content: parse_tflite(renamed(content, {(0, 0): "x"})),
        lambda content: with_int4(parse_tflite(content)),
        lambda content: with_shapes(
            parse_tflite(content), [tensor.shape for tensor in parse_tflite(content).main.tensors]
        ),
    ],
    ids=["share", "rename", "int4", "shapes"],
)
def test_rewriting_keeps_metadata_and_files(rewrite):
    said = Metadata(inputs=(PortMetadata(),), outputs=(PortMetadata(labels=tuple("abcd")),))
    told = with_metadata(parse_tflite(tiny_dense()), said)
    assert read_metadata(rewrite(told.content)) == read_metadata(told)


def test_the_array_for_a_microcontroller_has_neither():
    slim = parse_tflite(lean(door()))
    assert metadata_buffer(slim) is None
    assert appended_files(slim.content) == {}


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: with_buffer(b""), "0 bytes without the identifier M001"),
        (lambda: with_buffer(b"\x10\0\0\0M002" + bytes(40)), "without the identifier M001"),
        (lambda: with_buffer(b"\xff\xff\xff\x7fM001" + bytes(40)), "a table at"),
        (lambda: with_buffer(support(), files={}), "'plants.txt', which is not behind the model"),
        (lambda: with_buffer(support(), files={"plants.txt": b"\xff\n"}), "utf-8"),
        (lambda: parse_tflite(door().content.replace(b"cat\n", b"cow\n")), "the archive behind the model"),
    ],
)
def test_damage_is_said(model, words):
    with pytest.raises(TfliteError, match="the metadata of model are damaged") as error:
        read_metadata(model())
    assert words in str(error.value)


def test_no_damage_is_a_crash():
    """Bytes changed at random in the metadata and in the archive give metadata, or the error."""
    told, chance = door(), random.Random(0)
    start = told.content.index(b"M001") - 4
    damaged = 0
    for _ in range(600):
        content = bytearray(told.content)
        for _ in range(chance.randint(1, 4)):
            content[chance.randrange(start, len(content))] = chance.choice((0, 1, 0x7F, 0xFF))
        try:
            read_metadata(parse_tflite(bytes(content[: chance.choice((None, None, -1, -30))])))
        except TfliteError:
            damaged += 1
    assert 100 < damaged < 600
