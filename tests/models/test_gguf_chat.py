"""Chat templates come with a file from a stranger, and are code: rendered in a sandbox, or refused."""

from importlib.util import find_spec

import pytest

from aletheia_plugins import ModelFileError

if find_spec("jinja2") is None:
    pytest.skip("without the extra [gguf]", allow_module_level=True)

from aletheia_models.chat import frame

SMOL = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nHello"
    "<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def test_what_stands_before_and_behind_a_message_is_found():
    before, after = frame(SMOL)
    assert before == "<|im_start|>system\nHello<|im_end|>\n<|im_start|>user\n"
    assert after == "<|im_end|>\n<|im_start|>assistant\n"


def test_tokens_can_be_named():
    tokens = {"bos_token": "<s>", "eos_token": "</s>"}
    assert frame("{{ bos_token }}{{ messages[0].content }}{{ eos_token }}", **tokens) == ("<s>", "</s>")


@pytest.mark.parametrize(
    ("template", "wrong"),
    [
        ("{{ messages[0]['content'].__class__.__mro__[1].__subclasses__() }}", "SecurityError"),
        ("{{ messages.append(1) }}{{ messages[0]['content'] }}", "SecurityError"),
        ("{% for m in messages %}", "TemplateSyntaxError"),
        ("{{ raise_exception('only with a system prompt') }}", "TemplateError: only with a system prompt"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{{ messages[7]['content'] }}", "UndefinedError"),
        ("{{ range(10 ** 9) | list }}", "OverflowError"),
        ("nothing", "the chat template repeats the message 0 times"),
        ("{{ messages[0]['content'] * 2 }}", "the chat template repeats the message 2 times"),
    ],
)
def test_what_a_template_does_wrong_is_a_sentence(template, wrong):
    with pytest.raises(ModelFileError) as caught:
        frame(template)
    assert wrong in str(caught.value)
