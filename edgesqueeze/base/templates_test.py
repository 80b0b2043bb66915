import jinja2
import pytest
from markupsafe import Markup

from edgesqueeze.base.templates import rendered


@pytest.fixture
def template(tmp_path):
    def write(text, name="page.j2"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def test_tags_leave_no_lines(template):
    page = template(
        "{% for one in all %}\n  {% if one > 1 %}\n{{ one }};\n  {% endif %}\n{% endfor %}\nend\n"
    )
    assert rendered(page, {"all": [1, 2, 3]}) == "2;\n3;\nend\n"


def test_a_name_without_a_value_is_an_error(template):
    with pytest.raises(jinja2.UndefinedError, match="'missing' is undefined"):
        rendered(template("{{ missing }}"), {})


def test_filters_and_included_templates(template):
    template("{{ word | loud }}", "part.j2")
    assert (
        rendered(template("{% include 'part.j2' %}!"), {"word": "hi"}, filters={"loud": str.upper}) == "HI!"
    )


def test_only_xml_is_escaped(template):
    page = template("{{ text }}")
    assert rendered(page, {"text": "<a> & b"}) == "<a> & b"
    assert rendered(page, {"text": "<a> & b"}, xml=True) == "&lt;a&gt; &amp; b"


def test_in_xml_nothing_but_what_can_be_printed_stands(template):
    page = template("{{ text }}{{ markup }}")
    values = {"text": "a\x1b\u202eb\n", "markup": Markup("<b>\n</b>")}
    assert rendered(page, values, xml=True) == "a  b <b>\n</b>"
    assert rendered(page, values) == "a\x1b\u202eb\n<b>\n</b>"
