r"""Keys and values with separators and quotation marks of your own.

    - parse: {key_value: {field_separator: ',', value_separator: ':', types: {port: int}}}
    < name: 'O Brien', port: 80, note:
    > {"name":"O Brien","port":80,"note":""}

Blanks around keys and values do not count, unless the blank is what stands between the pairs. In quotation marks
escapes are undone as in `logfmt`. A line that has something else than pairs is not taken.
"""

from __future__ import annotations

from logrouter.parsers._pairs import Grammar, PairsConfig, PairsParser


class KeyValueConfig(PairsConfig, frozen=True, kw_only=True):
    """Separators are one character each."""

    field_separator: str = " "
    """What stands between pairs. A blank stands for several."""
    value_separator: str = "="
    """What stands between a key and its value."""
    quotes: str = "\"'"
    """The characters any of which may stand around a value. Empty: none."""
    bare_keys: bool = False
    """Whether keys without a value are fields that are `true`. Default: a line that has some is not taken."""


class KeyValue(PairsParser[KeyValueConfig]):
    """Raises ValueError where keys, values and quotation marks could not be told apart."""

    Config = KeyValueConfig

    def __init__(self, config: KeyValueConfig) -> None:
        for name in ("field_separator", "value_separator"):
            separator = getattr(config, name)
            if len(separator) != 1 or not separator.isascii() or separator in "\r\n\\":
                raise ValueError(f"{name}: expected one ASCII character, not {separator!r}")
        letters = config.field_separator + config.value_separator + config.quotes
        if len(set(letters)) < len(letters) or not letters.isascii() or set(config.quotes) & set("\\ \r\n"):
            raise ValueError("expected separators and quotes to be different characters of ASCII")
        between = config.field_separator
        grammar = Grammar(
            between, config.value_separator, config.quotes, trims=between != " ", bare_keys=config.bare_keys
        )
        super().__init__(config, grammar)
