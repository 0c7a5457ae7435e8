"""Rows of a table in C: the names of words, and the function that converts a field's text to a number.

    float NAME_field(int input, const char *text)

returns the index of a word among those of its input, or the number of words for any other; 1 and 0 for yes and no; a
number as it is written; NAN for a missing value or invalid text. Words and missing values are those of infer_table.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from genreg_np.export import c_text
from genreg_np.infer_table import FLAGS, MISSING, inputs_of
from genreg_np.model import Model

FIELD = """int {name}_is_missing(const char *text)
{{
    static const char *const nothing[{missing}] = {{
{missing_words}
    }};
    for (int k = 0; k < {missing}; k++) {{
        const char *a = text, *b = nothing[k];
        while (*a != '\\0' && tolower((unsigned char)*a) == *b)
            a++, b++;
        if (*a == *b)
            return 1;
    }}
    return 0;
}}

/* Return the length of a text's word: 1 for 3.0, which is a whole number. */
static size_t {name}_word_length(const char *text)
{{
    const size_t sign = text[0] == '+' || text[0] == '-';
    const size_t digits = strspn(text + sign, "0123456789");
    const char *point = text + sign + digits;
    if (digits > 0 && *point == '.' && point[1 + strspn(point + 1, "0")] == '\\0')
        return sign + digits;
    return strlen(text);
}}

float {name}_field(int input, const char *text)
{{
    static const char *const flags[{flags}] = {{
{flag_words}
    }};
    const int words = {name}_word_counts[input];
    float value;
    char *end;
    if ({name}_is_missing(text))
        return NAN;
    if (words >= 0) {{
        const size_t length = {name}_word_length(text);
        int place = 0;
        while (place < words && (strncmp({name}_words[input][place], text, length) != 0 ||
                                 {name}_words[input][place][length] != '\\0'))
            place++;
        return (float)place;
    }}
    for (int k = 0; k < {flags} && words == -1; k++)
        if (strcmp(flags[k], text) == 0)
            return (float)(k < {flags} / 2);
    value = strtof(text, &end);
    if (*end != '\\0' || (words == -1 && value != 0.0F && value != 1.0F))
        return NAN;
    return value;
}}"""


@dataclass(frozen=True)
class Rows:
    """The columns of a model that takes rows of a table; falsy for other models."""

    columns: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, model: Model) -> Rows:
        """Return the columns of a model."""
        return cls(tuple(model.header.get("columns") or ()))

    def __bool__(self) -> bool:
        return bool(self.columns)

    def meanings(self) -> list[str]:
        """Return the meaning of each input, in words for a comment."""
        return [
            f"{c_text.quoted(name)}{self._meaning(column, place)}"
            for column in self.columns
            for place, name in enumerate(inputs_of(column))
        ]

    @staticmethod
    def _meaning(column: dict[str, Any], place: int) -> str:
        if column["kind"] == "dates":
            return {"weekday": ": 0 Monday .. 6 Sunday", "hour": ": 14.5 is 14:30"}.get(column["parts"][place], "")
        if column["kind"] == "words":
            words = [f"{place} {c_text.quoted(word)}" for place, word in enumerate(column["words"])]
            shown = ", ".join(words[:12]) + (", ..." if len(words) > 12 else "")
            return f": {shown}{', ' if words else ''}{len(words)} any other"
        return {"flags": ": 1 yes, 0 no"}.get(column["kind"], "")

    def declarations(self, name: str) -> list[str]:
        """Return the declarations of functions that turn text into inputs, with comments."""
        if not self:
            return []
        return [
            "/* Return the number for a field's text: the index of a word, 1 and 0 for yes and no, NAN for a missing\n"
            " * value or invalid text. Fields are numbered like inputs, and have no space around them. */\n"
            f"float {name}_field(int input, const char *text);",
            "/* Return whether a field's text means a missing value: empty, NA, ?, null, ... */\n"
            f"int {name}_is_missing(const char *text);",
        ]

    def definitions(self, name: str) -> list[str]:
        """Return the definitions of all words and of the functions that look them up."""
        if not self:
            return []
        counts: list[int] = []
        tables: list[str] = []
        lists: list[str] = []
        for column in self.columns:
            for _ in inputs_of(column):
                place = len(counts)
                words = column.get("words", []) if column["kind"] == "words" else []
                counts.append({"words": len(words), "flags": -1}.get(column["kind"], -2))
                lists.append(f"{name}_words_{place}" if words else "0")
                if words:
                    texts = [c_text.string(word, f"word {word!r} of {column['name']!r}") for word in words]
                    tables.append(_array(f"{name}_words_{place}", "char *const", texts))
        missing = [f'"{word}"' for word in sorted(MISSING)]
        flags = [
            *(word for word, value in FLAGS.items() if value),
            *(word for word, value in FLAGS.items() if not value),
        ]
        flags = [form for word in flags for form in (word, word.capitalize(), word.upper())]
        return [
            *tables,
            _array(f"{name}_words", "char *const *const", lists),
            _array(f"{name}_word_counts", "int", [str(count) for count in counts]),
            FIELD.format(
                name=name,
                missing=len(missing),
                missing_words=c_text.wrapped(missing, "        "),
                flags=len(flags),
                flag_words=c_text.wrapped([f'"{flag}"' for flag in flags], "        "),
            ),
        ]


def _array(name: str, kind: str, words: list[str]) -> str:
    """Return the definition of a constant array."""
    return f"static const {kind} {name}[{len(words)}] = {{\n{c_text.wrapped(words)}\n}};"
