"""What the command says of itself and of words that it does not understand."""

import pytest

from tinypool_nb.cli import help_texts, main


def test_words_that_are_not_understood_get_one_line_and_where_to_look(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "127.0.0.1"])
    assert ended.value.code == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[0].startswith("tinypool-nb doctor: argument [NAME=]ADDRESS: address '127.0.0.1' was refused: it has no port")
    assert said[1] == "`tinypool-nb doctor --help` tells what it understands."


@pytest.mark.parametrize("width", [80, 140])
def test_every_command_describes_itself_and_shows_examples_that_can_be_copied(width: int) -> None:
    for words, text in help_texts(width).items():
        description = text.split("\n\n")[1]
        assert description[0].isupper(), words
        assert max(map(len, description.splitlines())) <= width
        examples = text[text.index("\nexample") :].splitlines()[2:]
        assert examples, words
        assert all(example.startswith("  tinypool-nb ") for example in examples)
