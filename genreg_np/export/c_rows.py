"""Rows of a table in C: the names of words, and the function that converts a field's text to a number.

    float NAME_field(int input, const char *text)

returns the index of a word among those of its input, or the number of words for any other; 1 and 0 for yes and no; a
number in decimals, with a point in every locale; NAN for a missing value or invalid text. Words and missing values are
those of infer_table.py, and so are numbers: digits are gathered in a double and scaled by powers of ten that are exact
up to 10^22, so that up to 15 digits give the double that Python reads.
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

/* Return the number that a text gives in decimals; NAN if it gives none, or one that is too large for a float. */
static double {name}_number(const char *text)
{{
    double value = 0.0;
    int point = 0, digits = 0, power = 0;
    text += strspn(text, " \\t");
    const int negative = *text == '-';
    text += *text == '-' || *text == '+';
    for (; (*text >= '0' && *text <= '9') || (*text == '.' && !point); text++) {{
        if (*text == '.') {{
            point = 1;
            continue;
        }}
        digits = 1;
        if (value < 1e17) {{
            value = 10.0 * value + (*text - '0');
            power -= point;
        }} else {{ /* digits beyond those that a double holds */
            power += !point;
        }}
    }}
    if (digits && (*text == 'e' || *text == 'E')) {{
        const int down = text[1] == '-';
        int exponent = 0;
        text += text[1] == '-' || text[1] == '+' ? 2 : 1;
        if (*text < '0' || *text > '9')
            return (double)NAN;
        for (; *text >= '0' && *text <= '9'; text++)
            exponent = exponent < 1000 ? 10 * exponent + (*text - '0') : exponent;
        power += down ? -exponent : exponent;
    }}
    text += strspn(text, " \\t");
    if (!digits || *text != '\\0')
        return (double)NAN;
    while (power != 0) {{
        const int down = power < 0;
        double scale = 1.0;
        for (int k = 0; k < 22 && power != 0; k++, power += down ? 1 : -1)
            scale *= 10.0;
        value = down ? value / scale : value * scale;
    }}
    if (value > 3.4e38)
        return (double)NAN;
    return negative ? -value : value;
}}

float {name}_field(int input, const char *text)
{{
    static const char *const flags[{flags}] = {{
{flag_words}
    }};
    const int words = {name}_word_counts[input];
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
    const double value = {name}_number(text);
    return words == -1 && value != 0.0 && value != 1.0 ? NAN : (float)value;
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
            "/* Return the number for a field's text: the index of a word, 1 and 0 for yes and no, a number in\n"
            " * decimals, with a point in every locale, NAN for a missing value or invalid text. Fields are numbered\n"
            " * like inputs, and have no space around them. */\n"
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
