"""Target `c`: a header and a source file in C99, with an example of their use.

    NAME.h       what the application calls
    NAME.c       weights, the functions of c_parts/ that the layers need, and the functions of the header
    NAME_test.h  one input and infer.py's answer, and a function that compares
    main.c       reads one input and prints its class; with --check, runs the test

Nothing is allocated and nothing is kept between calls: buffers are on the stack or, if they are large, in a structure
that the application passes.
"""

from __future__ import annotations

from genreg_np.errors import UsageError
from genreg_np.export import c_api, c_int8, c_layers, c_main, c_maps, c_vector
from genreg_np.export.c_input import Input
from genreg_np.export.c_program import Program, Value
from genreg_np.export.c_stack import stack
from genreg_np.model import Model

SUMMARY = "one header and one source file in C99, without malloc; a test and an example"
LAYERS = {**c_layers.LAYERS, **c_maps.LAYERS, **c_int8.LAYERS}
TAKES = frozenset(LAYERS)

# main.c, the standard headers, and those that they include, since some compilers look in the current folder first
TAKEN = """
    alloca endian features newlib
    assert complex ctype errno fenv float inttypes iso646 limits locale main math setjmp signal stdarg stdbool stddef
    stdint stdio stdlib string tgmath time wchar wctype
"""


def files(model: Model, name: str) -> dict[str, bytes]:
    """Return NAME.h, NAME.c, NAME_test.h and main.c.

    Raises
    ------
    UsageError
        If C cannot express a layer, a class name, the input range or any answer, or `name` is a standard header.
    """
    if name.lower() in TAKEN.split():
        raise UsageError(f"name {name!r} is taken by a standard header of C or by the example, main.c: choose another")
    layers = model.header["network"]["layers"]
    program = Program(model, Input.of(model), LAYERS)
    api = c_api.Api(name, program, layers[-1].get("unit"))
    start = Value(program.inputs.name, "raw" if program.inputs.raw else "float", program.inputs.count)
    stack(program, layers, "layers", start, Value(api.outputs, api.ctype, model.output_count))
    written = {f"{name}.h": c_api.header(api), f"{name}.c": c_api.source(api)}
    written |= {f"{name}_test.h": c_vector.header(api), "main.c": c_main.example(api)}
    return {file: text.encode("ascii") for file, text in written.items()}
