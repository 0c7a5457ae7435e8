"""The example: main.c reads one input from a file or stdin and prints its class, or runs the test of NAME_test.h.

For a recurrent model it reads rows, one per step, and prints a line for each.
"""

from __future__ import annotations

from genreg_np.export.c_api import Api
from genreg_np.export.c_input import Input
from genreg_np.export.c_program import PARTS

FORMATS = {1: ("PGM", "5"), 3: ("PPM", "6")}  # uncompressed pictures by channels: name, and digit after P
TAKE = "memcpy({given}, data + at, MODEL_INPUTS);"
TAKE_APART = """for (size_t k = 0; k < MODEL_INPUTS; k++) /* red, green, blue of each pixel become three maps */
        {given}[k % 3 * MODEL_HEIGHT * MODEL_WIDTH + k / 3] = data[at + k];"""

ONE = "/* Print {result} of one input, read from a file or from stdin:\n * {wanted}."
IN_ORDER = """/* Print {result} of each input, one per line; read inputs from a file or from stdin, one per row:
 * {wanted}.
 * The model is recurrent: rows are consecutive steps, and each answer depends on the rows before."""
EXAMPLE = """{told}
 * With --check as the only argument, check that the model gives the same as infer.py. */
#include "{name}_test.h"

{includes}

{scratch}{reader}
static int check(void)
{{
    static {logit} {outputs}[{count}];
    if (!{name}_test({room}{outputs})) {{
        fprintf(stderr, "the test vector does not agree: weights, code or compiler have changed\\n");
        return 1;
    }}
    printf("the test vector agrees\\n");
    return 0;
}}

int main(int argc, char **argv)
{{
    static {ctype} {given}[{macro}_INPUTS];
    if (argc == 2 && strcmp(argv[1], "--check") == 0)
        return check();
    const char *path = argc > 1 ? argv[1] : "stdin";
    FILE *file = argc > 1 ? fopen(path, "rb") : stdin;
    if (file == NULL) {{
        fprintf(stderr, "%s: cannot be opened\\n", path);
        return 1;
    }}
{rest}
    return 0;
}}
"""


def example(api: Api) -> str:
    """Return main.c."""
    given = api.program.inputs
    reader, wanted, headers = _rows(given) if api.remembers else _reader(given)
    text = (PARTS / f"{reader}.c").read_text(encoding="utf-8")
    if reader == "read_image":
        kind, digit = FORMATS[given.channels]
        text = (
            text.replace("FORMAT", f"{kind} file (P{digit})").replace("DIGIT", digit).replace("INPUT_NAME", given.name)
        )
        text = text.replace("TAKE_PIXELS", (TAKE if given.channels == 1 else TAKE_APART).format(given=given.name))
    if api.remembers:
        number, beyond = "float number = strtof(word, &end)", ""
        if given.raw:
            number = "long long number = strtoll(word, &end, 10)"
            beyond = " || number < MODEL_SMALLEST || number > MODEL_LARGEST"
        text = text.replace("NUMBER", f"const {number}").replace("OUT_OF_RANGE", beyond)
        text = text.replace("INPUT_NAME", given.name)
    told = (IN_ORDER if api.remembers else ONE).format(
        result="the class" if api.classes else "the outputs", wanted=wanted
    )
    return EXAMPLE.format(
        told=told,
        name=api.name,
        includes="\n".join(f"#include <{header}>" for header in headers),
        reader=text.replace("MODEL_NAME", api.name)
        .replace("MODEL_", f"{api.macro}_")
        .replace("INPUT_TYPE", given.ctype),
        ctype=given.ctype,
        given=given.name,
        macro=api.macro,
        scratch=f"static {api.name}_scratch scratch;\n\n" if api.handed_over else "",
        room="&scratch, " if api.handed_over else "",
        logit=api.ctype,
        outputs=api.outputs,
        count=api.count,
        rest="\n".join(f"    {line}" for line in (_steps if api.remembers else _one)(api, wanted)),
    )


def _one(api: Api, wanted: str) -> list[str]:
    """Return the statements that read one input and print its answer."""
    lines = [f"if (!read_input(file, {api.program.inputs.name})) {{"]
    lines += [f'    fprintf(stderr, "%s: needs {wanted}\\n", path);', "    return 1;", "}"]
    return lines + (_class if api.classes else _outputs)(api)


def _steps(api: Api, wanted: str) -> list[str]:
    """Return the statements that read row after row and print the answer to each."""
    lines = [f"{api.name}_state state;", f"{api.name}_start(&state);"]
    lines += [f"for (int row = 1, found; (found = read_row(file, {api.program.inputs.name})) != 0; row++) {{"]
    lines += ["    if (found < 0) {", f'        fprintf(stderr, "%s, row %d: needs {wanted}\\n", path, row);']
    lines += ["        return 1;", "    }"]
    return [*lines, *(f"    {line}" for line in (_class if api.classes else _outputs)(api)), "}"]


def _rows(given: Input) -> tuple[str, str, list[str]]:
    """Return the same as `_reader`, for rows."""
    whole = f"whole numbers, {given.range}" if given.raw else "numbers"
    return "read_row_of_numbers", f"{given.count} {whole} as text", ["stdio.h", "stdlib.h", "string.h"]


def _reader(given: Input) -> tuple[str, str, list[str]]:
    """Return the function that reads an input, what it reads, and the headers it needs."""
    if given.of_rows:
        wanted = f"a row of {given.count} fields separated by commas, in the order of the inputs"
        wanted += ", in quotes if they have a comma"
        wanted += f" ({given.dates})" if given.dates else ""
        return "read_row", wanted, ["stdio.h", "stdlib.h", "string.h"]
    if not given.raw:
        return "read_floats", f"{given.count} numbers as text", ["stdio.h", "stdlib.h", "string.h"]
    if given.ctype != "uint8_t":
        return (
            "read_integers",
            f"{given.count} whole numbers as text, {given.range}",
            ["stdio.h", "stdlib.h", "string.h"],
        )
    order = f", {given.order}" if given.channels > 1 else ""
    if given.channels not in FORMATS or given.low != 0:
        return "read_bytes", f"{given.count} bytes, {given.range}{order}", ["stdio.h", "string.h"]
    kind, digit = FORMATS[given.channels]
    height, width = given.shape[-2:]
    wanted = f"{given.count} bytes{order}, or a {kind} file (P{digit}) of {width} x {height} pixels up to {given.high}"
    return "read_image", wanted, ["ctype.h", "stdio.h", "string.h"]


def _refused(api: Api, condition: str) -> list[str]:
    message = f'    fprintf(stderr, "%s: {api.program.inputs.unusable}\\n", path);'
    return [f"if ({condition}) {{", message, "    return 1;", "}"]


def _class(api: Api) -> list[str]:
    lines = [f"const int best = {api.call('predict')};"]
    lines += _refused(api, "best < 0") if api.may_fail else []
    return [*lines, f'printf("%s\\n", {api.name}_class_names[best]);']


def _outputs(api: Api) -> list[str]:
    unit = "" if api.unit is None else f" * {api.macro}_UNIT"
    call = api.call(api.answers, "outputs")
    lines = [f"static {api.ctype} outputs[{api.count}];"]
    lines += _refused(api, f"{call} != 0") if api.may_fail else [f"{call};"]
    printed = f'printf("%.9g\\n", (double)outputs[k]{unit})'
    if api.remembers:
        printed = f"printf(\"%.9g%c\", (double)outputs[k]{unit}, k + 1 < {api.count} ? ' ' : '\\n')"
    return [*lines, f"for (int k = 0; k < {api.count}; k++)", f"    {printed};"]
