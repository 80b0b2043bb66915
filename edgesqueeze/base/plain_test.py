from edgesqueeze.base.plain import plain


def test_control_characters_become_spaces():
    assert plain("a\x1b[31mb\nc\x00d\ud800") == "a [31mb c d "


def test_other_text_stays():
    assert plain("größe 3x3: [red] 𝛼") == "größe 3x3: [red] 𝛼"
