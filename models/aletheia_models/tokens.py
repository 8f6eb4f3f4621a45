"""What token ids have to do with texts, whoever encodes them."""

from collections.abc import Callable, Sequence

__all__ = ["behind"]


def behind(encode: Callable[[str], Sequence[int]], text: str, ids: Sequence[int], continuation: str) -> list[int]:
    """The tokens of a continuation, of which `ids` are those of the text before it.

    Some tokenizers put a space before whatever they begin with, so that what is encoded alone has other tokens than
    behind a text. A continuation whose first letters would become one token with the last ones of the text is encoded
    alone all the same: the model has read these already.
    """
    whole = list(encode(text + continuation))
    return whole[len(ids) :] if whole[: len(ids)] == list(ids) else list(encode(continuation))
