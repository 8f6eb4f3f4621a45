"""Puts a message into a model's chat template, which is code from a stranger. Knows Jinja, no model."""

from datetime import UTC, datetime
from typing import Any, NoReturn

from jinja2 import TemplateError
from jinja2.ext import Extension
from jinja2.nodes import Node
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from aletheia_plugins import ModelFileError

__all__ = ["frame"]

MARK = "\x02message\x03"


def frame(template: str, **tokens: str) -> tuple[str, str]:
    """What the template writes before a user's only message, and behind it, up to where the assistant begins.

    `tokens` are such as bos_token. Raises ModelFileError if it does something else with the message, or fails.
    """
    extensions = [_Generation, "jinja2.ext.loopcontrols"]
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=extensions)
    environment.globals.update(raise_exception=_refuse, strftime_now=lambda form: datetime.now(UTC).strftime(form))
    messages: list[dict[str, Any]] = [{"role": "user", "content": MARK}]
    try:
        text = environment.from_string(template).render(
            messages=messages, tools=None, documents=None, add_generation_prompt=True, **tokens
        )
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise ModelFileError(f"the chat template cannot be used: {type(error).__name__}: {error}") from error
    if text.count(MARK) != 1:
        raise ModelFileError(f"the chat template repeats the message {text.count(MARK)} times.")
    before, _, after = text.partition(MARK)
    return before, after


class _Generation(Extension):
    """{% generation %} marks what an assistant says, for trainings: here it is only what is inside."""

    tags = {"generation"}  # noqa: RUF012  # as its base class declares it

    def parse(self, parser: Parser) -> list[Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)
