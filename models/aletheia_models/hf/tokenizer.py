"""A tokenizer that spends one token on a word, built from the texts it will read.

Byte-level BPE without merges, so that any text can be encoded and decoded exactly; each frequent word, with the space
before it, is an added token. llama.cpp carries such tokens as user-defined ones.
"""

from collections import Counter
from collections.abc import Iterable

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from aletheia_plugins import WORD

__all__ = ["END", "PAD", "build_tokenizer", "count_words"]

END, PAD = "<|end|>", "<|pad|>"


def count_words(texts: Iterable[str]) -> Counter[str]:
    """How often each word is in the texts."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(WORD.findall(text))
    return counts


def build_tokenizer(counts: Counter[str], *, min_count: int = 2, max_words: int = 16_384) -> PreTrainedTokenizerFast:
    """The tokenizer for these words, in alphabetical order, so that the order of the texts does not matter."""
    frequent = [word for word, count in counts.most_common(max_words) if count >= min_count]
    words = sorted(word for word in frequent if word.isascii())  # the decoder takes é for a byte: bytes spell the rest
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={char: index for index, char in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in (END, PAD)])
    tokenizer.add_tokens([AddedToken(word, normalized=False) for word in words])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=PAD, clean_up_tokenization_spaces=False
    )
