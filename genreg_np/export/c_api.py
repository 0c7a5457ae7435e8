"""The header of a model in C, which the application uses, and the source file behind it."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from typing import Any

from genreg_np.export import c_text
from genreg_np.export.c_input import literal
from genreg_np.export.c_origin import origin
from genreg_np.export.c_program import BYTES, PARTS, ROOM, Program
from genreg_np.export.c_rows import Rows
from genreg_np.infer import REMEMBERS
from genreg_np.version import __version__

MOST_STACK = 16384  # bytes of buffers: larger ones are passed by the application
MARGIN = 512  # bytes of stack that compilers add, for saved registers and spilled vectors
TELLING = {  # kind: entries of a layer shown in the description of a network
    "activation": ("function",),
    "convolution": ("filters", "size"),
    "transposed-convolution": ("filters", "size"),
    "pooling": ("method", "size"),
    "adaptive-pooling": ("method", "size"),
}
INCLUDES = {  # header: pattern of code that needs it
    "float.h": r"\bFLT_",
    "math.h": r"\b((sin|cos|exp|expm1|fabs|sqrt)f|sqrt)\(|\bNAN\b",
    "ctype.h": r"\btolower\(",
    "string.h": r"\b(mem(cpy|move)|str(n?cmp|len|spn))\(",
}


@dataclass(frozen=True)
class Api:
    """A model translated to C, before it is written."""

    name: str  # of files and functions
    program: Program
    unit: float | None  # the real value of 1 in logits that are whole numbers

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; empty if the outputs are values."""
        return self.program.model.class_names

    @property
    def rows(self) -> Rows:
        """The columns of a model that takes rows of a table."""
        return Rows.of(self.program.model)

    @property
    def macro(self) -> str:
        """The prefix of macros."""
        return self.name.upper()

    @property
    def ctype(self) -> str:
        """Type of logits."""
        return "float" if self.unit is None else "int32_t"

    @property
    def outputs(self) -> str:
        """The name of the last layer's outputs, and of the function that gives them."""
        return "logits" if self.classes else "outputs"

    @property
    def remembers(self) -> bool:
        """Whether the model is recurrent, so that the caller keeps its state."""
        return bool(self.program.states)

    @property
    def answers(self) -> str:
        """The name of the function that gives logits or values."""
        return "step" if self.remembers else self.outputs

    @property
    def count(self) -> str:
        """The macro for the number of outputs."""
        return f"{self.macro}_{'CLASSES' if self.classes else 'OUTPUTS'}"

    @property
    def may_fail(self) -> bool:
        """Whether some inputs are refused."""
        return bool(self.program.inputs.check())

    @property
    def handed_over(self) -> bool:
        """Whether the application passes the buffers."""
        return self.program.room_bytes > MOST_STACK

    @property
    def stack_bytes(self) -> int:
        """Bytes of stack that are sufficient."""
        own = 0 if self.handed_over else self.program.room_bytes
        return MARGIN + sum(self.program.frames.values()) + own + 4 * len(self.classes)

    @property
    def parameters(self) -> str:
        """Parameters of a function that takes an input."""
        given = self.program.inputs
        state = f"{self.name}_state *state, " if self.remembers else ""
        return f"{state}const {given.ctype} *{given.name}" + (
            f", {self.name}_scratch *scratch" if self.handed_over else ""
        )

    def call(
        self, function: str, *more: str, inputs: str = "", state: str = "&state", scratch: str = "&scratch"
    ) -> str:
        """Return a call of a function that takes an input; `more` arguments follow those of all of them."""
        kept, room = [state] if self.remembers else [], [scratch] if self.handed_over else []
        arguments = [*kept, inputs or self.program.inputs.name, *room, *more]
        return f"{self.name}_{function}({', '.join(arguments)})"

    @property
    def evaluate(self) -> str:
        """Signature of the function that gives logits or values."""
        returned = "int" if self.may_fail else "void"
        return f"{returned} {self.name}_{self.answers}({self.parameters}, {self.ctype} *{self.outputs})"

    @property
    def start(self) -> str:
        """Signature of the function that resets the state."""
        return f"void {self.name}_start({self.name}_state *state)"

    @property
    def predict(self) -> str:
        """Signature of the function that gives a class."""
        return f"int {self.name}_predict({self.parameters})"

    @property
    def probabilities(self) -> str:
        """Signature of the function that turns logits into probabilities."""
        return f"void {self.name}_probabilities(const {self.ctype} *logits, float *probabilities)"


def header(api: Api) -> str:
    """Return NAME.h."""
    parts = [_facts(api), *_inputs(api), *_declarations(api), "#ifdef __cplusplus\n}\n#endif\n\n#endif\n"]
    return "\n\n".join(parts)


def _facts(api: Api) -> str:
    """Return the comment at the top of a header, and its macros."""
    program, macro, given = api.program, api.macro, api.program.inputs
    shape = f" ({' x '.join(str(extent) for extent in given.shape)}, {given.order})" if given.order else ""
    count = program.model.output_count
    outputs = f"{count:,} {api.outputs if count > 1 else api.outputs.removesuffix('s')}"
    facts = {
        "Input": f"{given.count:,} number{'s' if given.count > 1 else ''}{shape}, {given.range}",
        "Output": outputs + (", one for each class" if api.classes else ""),
        "Flash": f"{program.flash_bytes:,} bytes of weights and tables, and the code",
        "Stack": f"at most {api.stack_bytes:,} bytes" + (", not counting the maths library" if _maths(program) else ""),
    }
    if api.handed_over:
        facts["Memory"] = (
            f"{program.room_bytes:,} bytes that the caller passes, {api.name}_scratch, shared by all layers"
        )
    facts["State"] = "none: any number of threads may call" + (", each with its own scratch" if api.handed_over else "")
    if api.remembers:
        also = " and scratch" if api.handed_over else ""
        facts["State"] = (
            f"{4 * sum(program.states.values()):,} bytes that the caller keeps, {api.name}_state: "
            f"any number of threads may call, each with its own{also}"
        )
    facts["Needs"] = "C99" + (" and its maths library (-lm)" if _maths(program) else "; no maths library, no malloc")
    if {"deskew", "to_levels"} & set(program.functions):
        facts["Exact"] = "levels equal infer.py's with -ffp-contract=off, which gcc -std=c99 implies"
    lines = [f"/* {api.name}: {_described(program.model.header['network']['layers'])}.", " *"]
    lines += [f" * {key:<10}{value}" for key, value in (facts | origin(program.model)).items()]
    lines += _plan(program)
    lines += [" *", f" * Written by genreg-np {__version__}. */", f"#ifndef {macro}_H", f"#define {macro}_H", ""]
    lines += ["#include <stdint.h>", "", "#ifdef __cplusplus", 'extern "C" {', "#endif", ""]
    lines += [f"#define {macro}_{key} {value}" for key, value in _macros(api).items()]
    return "\n".join(lines)


def _plan(program: Program) -> list[str]:
    """Return lines that say which layers write into which buffer, which holds a result until it is used."""
    if not program.buffers:
        return []
    sizes = {name: f"{BYTES[ctype] * count:,} bytes" for name, (ctype, count) in program.buffers.items()}
    long, wide = max(map(len, sizes)), max(map(len, sizes.values()))
    lines = [" *", " * Buffers, and the layers (from 0) that write into each, in order:"]
    for name, size in sizes.items():
        start = f" *     {name:<{long}}  {size:>{wide}}  "
        follow = f" *{' ' * (len(start) - 2)}"
        layers = ", ".join(program.writers[name])
        lines += textwrap.wrap(layers, c_text.LINE, initial_indent=start, subsequent_indent=follow)
    return lines


def _inputs(api: Api) -> list[str]:
    """Return a comment that names each input, if inputs have names."""
    given, names = api.program.inputs.name, [c_text.quoted(name) for name in api.program.model.feature_names]
    if api.rows:
        names = api.rows.meanings()
    lines = [f" * {given}[{place}]  {name}" for place, name in enumerate(names)]
    if values := api.program.model.value_names:
        lines += [f" * {api.outputs}[{place}]  {c_text.quoted(name)}" for place, name in enumerate(values)]
    return ["\n".join(["/* Inputs and outputs:", *lines, " */"])] if lines else []


def _macros(api: Api) -> dict[str, object]:
    given = api.program.inputs
    macros: dict[str, object] = {"INPUTS": given.count}
    if given.order:
        extents = ("CHANNELS", "HEIGHT", "WIDTH")[-len(given.shape) :]
        macros |= dict(zip(extents, given.shape, strict=True))
    if given.raw:
        macros |= {"SMALLEST": literal(given.low), "LARGEST": literal(given.high)}
    macros["CLASSES" if api.classes else "OUTPUTS"] = api.program.model.output_count
    if api.unit is not None:
        macros["UNIT"] = f"{api.unit!r} /* the value of 1 in {api.outputs} */"
    return macros


def _declarations(api: Api) -> list[str]:
    """Return the declarations for the application, with comments."""
    declared = []
    if api.handed_over:
        room = "\n".join(f"    {ctype} {name}[{count}];" for name, (ctype, count) in api.program.buffers.items())
        declared.append(
            f"/* Buffers of the functions, shared by all layers. */\ntypedef struct {{\n{room}\n}} {api.name}_scratch;"
        )
    if api.remembers:
        kept = "\n".join(f"    float {name}[{count}];" for name, count in api.program.states.items())
        declared += [
            f"/* The state after the steps so far. */\ntypedef struct {{\n{kept}\n}} {api.name}_state;",
            f"/* Reset the state: call it before the first step. */\n{api.start};",
        ]
    refusal = f"\n * Returns 0, or -1 if {api.program.inputs.unusable}." if api.may_fail else ""
    meaning = (
        "Write the logits of an input: the larger, the likelier the class." if api.classes else "Write the outputs."
    )
    step = "Make one step. " if api.remembers else ""
    declared.append(f"/* {step}{meaning}{refusal} */\n{api.evaluate};")
    if api.classes:
        ties = "the lowest of ties" + (f"; -1 if {api.program.inputs.unusable}" if api.may_fail else "")
        declared += [
            f"/* {step}Return the class of an input, 0 .. {len(api.classes) - 1}, {ties}. */\n{api.predict};",
            f"/* Turn logits into probabilities, which sum to 1. */\n{api.probabilities};",
            f"extern const char *const {api.name}_class_names[{api.count}];",
        ]
    return declared + api.rows.declarations(api.name)


def _described(layers: list[dict[str, Any]]) -> str:
    """Return a one-line description of a network."""
    words = []
    for layer in layers:
        telling = TELLING.get(layer["kind"].removesuffix("-int8"), ())
        words.append(" ".join(str(layer[key]) for key in ("kind", *telling)))
        if "dense" in layer["kind"] or layer["kind"] in REMEMBERS:
            words[-1] += f" {layer['outputs']}"
        if layer["kind"] in ("dense", *REMEMBERS) and layer["activation"] != "linear":
            words[-1] += f" {layer['activation']}"
    return ", ".join(words)


def source(api: Api) -> str:
    """Return NAME.c."""
    program = api.program
    functions = [text.rstrip("\n") for text in program.functions.values()]
    if api.may_fail:
        functions.append(program.inputs.check().rstrip("\n"))
    if api.classes:
        functions.append((PARTS / "exponential.c").read_text(encoding="utf-8").rstrip("\n"))
    written = [*functions, *program.constants, *([_start(api)] if api.remembers else []), _evaluate(api)]
    if api.classes:
        written += [_predict(api), _probabilities(api), _class_names(api)]
    written += api.rows.definitions(api.name)
    body = "\n\n".join(written)
    included = "".join(f"\n#include <{name}>" for name in INCLUDES if _uses(name, body))
    return "\n".join([f'#include "{api.name}.h"', *([included] if included else []), "", f"{body}\n"])


def _uses(name: str, text: str) -> bool:
    """Return whether code, ignoring comments, needs a standard header of C."""
    return re.search(INCLUDES[name], re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)) is not None


def _maths(program: Program) -> bool:
    return any(_uses("math.h", text) for text in program.functions.values())


def _block(signature: str, lines: list[str]) -> str:
    return "\n".join([signature, "{", *(f"    {line}" if line else "" for line in lines), "}"])


def _start(api: Api) -> str:
    """Return the function that resets the state."""
    return _block(api.start, [f"clear_float(state->{name}, {count});" for name, count in api.program.states.items()])


def _evaluate(api: Api) -> str:
    """Return the function that runs the layers."""
    program, lines = api.program, []
    if not api.handed_over:
        lines = [f"{ctype} {name}[{count}];" for name, (ctype, count) in program.buffers.items()]
    if api.may_fail:
        lines += [f"if (!usable({program.inputs.name}, {api.macro}_INPUTS))", "    return -1;"]
    place = "scratch->" if api.handed_over else ""
    lines += [statement.replace(ROOM, place) for statement in program.statements]
    return _block(api.evaluate, [*lines, *(["return 0;"] if api.may_fail else [])])


def _predict(api: Api) -> str:
    """Return the function that finds the largest logit."""
    call = api.call(api.answers, "logits", state="state", scratch="scratch")
    lines = [f"{api.ctype} logits[{api.count}];", "int best = 0;"]
    lines += [f"if ({call} != 0)", "    return -1;"] if api.may_fail else [f"{call};"]
    lines += [f"for (int k = 1; k < {api.count}; k++)", "    if (logits[k] > logits[best])", "        best = k;"]
    return _block(api.predict, [*lines, "return best;"])


def _probabilities(api: Api) -> str:
    """Return the softmax."""
    unit = "" if api.unit is None else f" * {api.macro}_UNIT"
    lines = [
        f"{api.ctype} largest = logits[0];",
        "double sum = 0.0;",
        f"for (int k = 1; k < {api.count}; k++)",
        "    if (logits[k] > largest)",
        "        largest = logits[k];",
        f"for (int k = 0; k < {api.count}; k++) {{",
        f"    probabilities[k] = (float)exponential((double)(logits[k] - largest){unit});",
        "    sum += (double)probabilities[k];",
        "}",
        f"for (int k = 0; k < {api.count}; k++)",
        "    probabilities[k] = (float)((double)probabilities[k] / sum);",
    ]
    return _block(api.probabilities, lines)


def _class_names(api: Api) -> str:
    words = [c_text.string(name, f"class name {number}") for number, name in enumerate(api.classes)]
    return f"const char *const {api.name}_class_names[{api.count}] = {{\n{c_text.wrapped(words)}\n}};"
