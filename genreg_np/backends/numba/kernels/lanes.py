"""The innermost loops of convolution, held in vector registers: what LLVM does not find by itself.

    products      z[f][t]   = sum over taps k of w[k][f] v[offset[k] + t]          8 filters, 3 vectors of places t;
                              of rows i of taps some, and of each the same part
    gradients     g[f][k]  += sum over places t of dz[f][t] v[offset[k] + t]       8 filters, 3 taps, lane by lane
    largest       a[t] = leaky(largest over taps k of scale z[offset[k] + t] + shift), and which k it was
    give_back     dz[offset[k] + t] = da[t] leaky' where k was it, else 0          both of one vector of places
    moments       sums over places t of y[t], and of (y[t] - c) (z[t] - m), lane by lane
    of_images     the same of each image, with c and m of its own
    add_images    a[n] += share times sums over places t of y[t]; share_images: y[t] += share a[n]
    place_images  y[t] = b (z[t] - m) + s, and
    move_images   y[t] = a y[t] + b (z[t] - m) + s, with a, b, m and s of each image

Each is one loop whose body is written out by Python when it is compiled: every value that is read serves several
multiply-adds, and no sum leaves its register before the loop ends. Sums are taken in the order of the taps, or of the
places lane by lane, by fused multiply-adds (one rounding each), so they are the same to the bit however wide the
registers are; no fastmath is needed for that. (A processor without such an instruction rounds twice.)

The tables of offsets (Dukhan 2019, "The Indirect Convolution Algorithm") make the first two fit any size of filters.

Sizes: LANES floats are a vector as far as memory goes: rows are multiples of it. WIDTH of them fit a register.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16  # what rows of values are multiples of
FILTERS = 8  # a block of filters
_HOST = llvm.get_host_cpu_features()
_X86 = llvm.get_process_triple().startswith(("x86_64", "i386", "i686"))
FUSED = _HOST.get("fma", False) or not _X86  # where a processor has no such instruction, it is two, and rounds twice
WIDTH = 16 if _HOST.get("avx512f") else 8 if _HOST.get("avx") else 4  # floats in a register
_MANY = _HOST.get("avx512f") or not _X86  # 32 registers, not 16: 24 hold sums, or else 8
VECTORS = 3 if _MANY else 1  # registers of places beside 8 filters
PLACES = VECTORS * WIDTH  # what `products` computes of 8 filters
TAPS = 3 if _MANY else 1  # what `gradients` computes of 8 filters

DARK = 128  # of a place: the value is not above 0
MOST_TAPS = 128  # of pooling

FLOAT, INDEX, BYTE = ir.FloatType(), ir.IntType(64), ir.IntType(8)
VECTOR, BYTES = ir.VectorType(FLOAT, WIDTH), ir.VectorType(BYTE, WIDTH)
ZERO = ir.Constant(VECTOR, [0.0] * WIDTH)


def _number(value: int) -> ir.Constant:
    return ir.Constant(INDEX, value)


class _Writer:
    """Writes instructions on vectors."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self.context, self.builder = context, builder
        kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
        self._fma = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{WIDTH}f32")
        self.arguments = [
            context.make_array(of)(context, builder, value).data if isinstance(of, types.Array) else value
            for of, value in zip(signature.args, arguments, strict=True)
        ]

    def at(self, pointer: Any, place: Any) -> Any:
        """Return a pointer so many items further on."""
        return self.builder.gep(pointer, [_number(place) if isinstance(place, int) else place])

    def length(self, signature: Any, arguments: Any, number: int) -> Any:
        """Return how many items an array argument of one axis has."""
        array = self.context.make_array(signature.args[number])(self.context, self.builder, arguments[number])
        return self.builder.extract_value(array.shape, 0)

    def vector(self, pointer: Any, kind: Any = VECTOR) -> Any:
        """Return WIDTH items from a place in memory."""
        loaded = self.builder.load(self.builder.bitcast(pointer, kind.as_pointer()))
        loaded.align = 1 if kind == BYTES else 4
        return loaded

    def store(self, vector: Any, pointer: Any) -> None:
        """Write WIDTH items to a place in memory."""
        stored = self.builder.store(vector, self.builder.bitcast(pointer, vector.type.as_pointer()))
        stored.align = 1 if vector.type == BYTES else 4

    def splat(self, item: Any) -> Any:
        """Return WIDTH times the same."""
        unset = ir.Constant(ir.VectorType(item.type, WIDTH), ir.Undefined)
        first = self.builder.insert_element(unset, item, ir.Constant(ir.IntType(32), 0))
        return self.builder.shuffle_vector(first, unset, ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH))

    def add_product(self, a: Any, b: Any, total: Any) -> Any:
        """Return a b + total, rounded once where the processor can."""
        if not FUSED:
            return self.builder.fadd(self.builder.fmul(a, b), total)
        return self.builder.call(self._fma, [a, b, total])

    def loop(self, begin: Any, end: Any, step: Any, sums: list[Any], body: Any) -> list[Any]:
        """Write a loop over begin, begin + step, ... below end, run at least once; return its sums after it."""
        builder, before = self.builder, self.builder.block
        inside, after = builder.append_basic_block("inside"), builder.append_basic_block("after")
        builder.branch(inside)
        builder.position_at_end(inside)
        place = builder.phi(INDEX)
        place.add_incoming(begin, before)
        running = [builder.phi(first.type) for first in sums]
        for phi, first in zip(running, sums, strict=True):
            phi.add_incoming(first, before)
        done = body(place, running)
        following = builder.add(place, _number(step) if isinstance(step, int) else step)
        for phi, last in zip([place, *running], [following, *done], strict=True):
            phi.add_incoming(last, builder.block)
        builder.cbranch(builder.icmp_signed("<", following, end), inside, after)
        builder.position_at_end(after)
        return list(done)


def _products(vectors: int) -> Any:
    """Return the kernel for so many vectors of places."""

    @intrinsic
    def products(typing, z, z_filter, z_place, v, v_place, offsets, rows, part, each, w, w_place):
        """Fill z[z_place + f z_filter + t] with sums over taps k; w[w_place + 8 k + f].

        Taps are rows of `each`: those of rows[0] .. rows[1] - 1 count, and of each row part[0] .. part[1] - 1.
        """

        def generate(context, builder, signature, arguments):
            writer = _Writer(context, builder, signature, arguments)
            z, z_filter, z_place, v, v_place, offsets, rows, part, each, w, w_place = writer.arguments
            (first, last), (begin, end) = (cgutils.unpack_tuple(builder, pair, 2) for pair in (rows, part))
            v, w = writer.at(v, v_place), writer.at(w, w_place)

            def body(k, sums):
                seen = writer.at(v, builder.load(writer.at(offsets, k)))
                weights = writer.at(w, builder.mul(k, _number(FILTERS)))
                values = [writer.vector(writer.at(seen, WIDTH * number)) for number in range(vectors)]
                found = []
                for f in range(FILTERS):
                    weight = writer.splat(builder.load(writer.at(weights, f)))
                    found += [
                        writer.add_product(weight, value, total)
                        for value, total in zip(values, sums[f * vectors : (f + 1) * vectors], strict=True)
                    ]
                return found

            def row(i, sums):
                before = builder.mul(i, each)
                return writer.loop(builder.add(before, begin), builder.add(before, end), 1, sums, body)

            sums = writer.loop(first, last, 1, [ZERO] * (FILTERS * vectors), row)
            for f in range(FILTERS):
                row = writer.at(z, builder.add(z_place, builder.mul(z_filter, _number(f))))
                for number in range(vectors):
                    writer.store(sums[f * vectors + number], writer.at(row, WIDTH * number))
            return context.get_dummy_value()

        return types.void(z, z_filter, z_place, v, v_place, offsets, rows, part, each, w, w_place), generate

    return products


def _gradients(taps: int) -> Any:
    """Return the kernel for so many taps."""

    @intrinsic
    def gradients(typing, g, g_place, dz, dz_filter, dz_place, v, v_place, offsets, tap, width):
        """Add to g[g_place + (8 k + f) LANES + lane] what taps tap, tap + 1, ... see of dz[dz_place + f dz_filter]."""

        def generate(context, builder, signature, arguments):
            writer = _Writer(context, builder, signature, arguments)
            g, g_place, dz, dz_filter, dz_place, v, v_place, offsets, tap, width = writer.arguments
            g = writer.at(g, builder.add(g_place, builder.mul(tap, _number(FILTERS * LANES))))
            rows = [writer.at(dz, builder.add(dz_place, builder.mul(dz_filter, _number(f)))) for f in range(FILTERS)]
            moved = [
                writer.at(v, builder.add(v_place, builder.load(writer.at(offsets, builder.add(tap, _number(k))))))
                for k in range(taps)
            ]
            for lane in range(0, LANES, WIDTH):  # each register's lanes are so many of LANES

                def body(t, sums, lane=lane):
                    place = builder.add(t, _number(lane))
                    values = [writer.vector(writer.at(row, place)) for row in moved]
                    found = list(sums)
                    for f, row in enumerate(rows):
                        back = writer.vector(writer.at(row, place))
                        for k, value in enumerate(values):
                            found[k * FILTERS + f] = writer.add_product(back, value, sums[k * FILTERS + f])
                    return found

                places = [writer.at(g, number * LANES + lane) for number in range(taps * FILTERS)]
                sums = writer.loop(_number(0), width, LANES, [writer.vector(place) for place in places], body)
                for total, place in zip(sums, places, strict=True):
                    writer.store(total, place)
            return context.get_dummy_value()

        return types.void(g, g_place, dz, dz_filter, dz_place, v, v_place, offsets, tap, width), generate

    return gradients


@intrinsic
def largest(typing, a, places, at, z, z_place, offsets, scale, shift, leak):
    """Fill a vector of a, and of places: which tap was the largest, and 128 more where it was not above 0."""

    def generate(context, builder, signature, arguments):
        writer = _Writer(context, builder, signature, arguments)
        a, places, at, z, z_place, offsets, *numbers = writer.arguments
        scale, shift, leak = (writer.splat(number) for number in numbers)
        z, count = writer.at(z, z_place), writer.length(signature, arguments, 5)

        def value(k):
            return writer.add_product(scale, writer.vector(writer.at(z, builder.load(writer.at(offsets, k)))), shift)

        def body(k, best):
            largest, which = best
            here = value(k)
            larger = builder.fcmp_ordered(">", here, largest)
            number = writer.splat(builder.trunc(k, BYTE))
            return [builder.select(larger, here, largest), builder.select(larger, number, which)]

        best, which = writer.loop(_number(0), count, 1, [value(_number(0)), ir.Constant(BYTES, [0] * WIDTH)], body)
        lit = builder.fcmp_ordered(">", best, ZERO)
        writer.store(builder.select(lit, best, builder.fmul(best, leak)), writer.at(a, at))
        dark = builder.or_(which, ir.Constant(BYTES, [DARK] * WIDTH))
        writer.store(builder.select(lit, which, dark), writer.at(places, at))
        return context.get_dummy_value()

    return types.void(a, places, at, z, z_place, offsets, scale, shift, leak), generate


@intrinsic
def give_back(typing, dz, dz_place, da, places, at, offsets, leak, total):
    """Fill what is seen by a vector of da with its gradient, and add that to total (LANES,)."""

    def generate(context, builder, signature, arguments):
        writer = _Writer(context, builder, signature, arguments)
        dz, dz_place, da, places, at, offsets, leak, total = writer.arguments
        dz, count, leak = writer.at(dz, dz_place), writer.length(signature, arguments, 5), writer.splat(leak)
        by = writer.vector(writer.at(da, at))
        which = writer.vector(writer.at(places, at), BYTES)
        lit = builder.icmp_unsigned("<", which, ir.Constant(BYTES, [DARK] * WIDTH))
        by = builder.select(lit, by, builder.fmul(by, leak))
        which = builder.and_(which, ir.Constant(BYTES, [DARK - 1] * WIDTH))
        writer.store(builder.fadd(writer.vector(total), by), total)

        def body(k, none):
            here = builder.icmp_unsigned("==", which, writer.splat(builder.trunc(k, BYTE)))
            writer.store(builder.select(here, by, ZERO), writer.at(dz, builder.load(writer.at(offsets, k))))
            return none

        writer.loop(_number(0), count, 1, [], body)
        return context.get_dummy_value()

    return types.void(dz, dz_place, da, places, at, offsets, leak, total), generate


@intrinsic
def moments(typing, totals, y, y_place, c, z, z_place, m, width):
    """Add sums of y and of (y - c) (z - m) over so many places to totals (2 LANES,)."""

    def generate(context, builder, signature, arguments):
        writer = _Writer(context, builder, signature, arguments)
        totals, y, y_place, c, z, z_place, m, width = writer.arguments
        y, z, c, m = writer.at(y, y_place), writer.at(z, z_place), writer.splat(c), writer.splat(m)
        places = [writer.at(totals, lane) for lane in range(0, 2 * LANES, WIDTH)]
        half = len(places) // 2

        def body(t, sums):
            found = list(sums)
            for number in range(half):
                place = builder.add(t, _number(number * WIDTH))
                own, other = writer.vector(writer.at(y, place)), writer.vector(writer.at(z, place))
                found[number] = builder.fadd(sums[number], own)
                by = builder.fsub(own, c), builder.fsub(other, m)
                found[half + number] = writer.add_product(*by, sums[half + number])
            return found

        sums = writer.loop(_number(0), width, LANES, [writer.vector(place) for place in places], body)
        for total, place in zip(sums, places, strict=True):
            writer.store(total, place)
        return context.get_dummy_value()

    return types.void(totals, y, y_place, c, z, z_place, m, width), generate


@intrinsic
def of_images(typing, totals, at, y, y_place, z, z_place, numbers, c_place, m_place, images, width):
    """Add sums of y and of (y - c) (z - m) over places 0, images, 2 images .. width - 1 to totals, `images` apart."""

    def generate(context, builder, signature, arguments):
        writer = _Writer(context, builder, signature, arguments)
        totals, at, y, y_place, z, z_place, numbers, c_place, m_place, images, width = writer.arguments
        y, z = writer.at(y, y_place), writer.at(z, z_place)
        c, m = (writer.vector(writer.at(numbers, place)) for place in (c_place, m_place))
        places = [writer.at(totals, at), writer.at(totals, builder.add(at, images))]

        def body(t, sums):
            own, other = writer.vector(writer.at(y, t)), writer.vector(writer.at(z, t))
            by = builder.fsub(own, c), builder.fsub(other, m)
            return [builder.fadd(sums[0], own), writer.add_product(*by, sums[1])]

        sums = writer.loop(_number(0), width, images, [writer.vector(place) for place in places], body)
        for total, place in zip(sums, places, strict=True):
            writer.store(total, place)
        return context.get_dummy_value()

    return types.void(totals, at, y, y_place, z, z_place, numbers, c_place, m_place, images, width), generate


def _shares(back: bool) -> Any:
    """Return the kernel that sums up, or that gives back."""

    @intrinsic
    def add(typing, a, a_place, y, y_place, share, images, width):
        """Take places 0, images, 2 images .. width - 1 of y into a vector of a, or the other way round."""

        def generate(context, builder, signature, arguments):
            writer = _Writer(context, builder, signature, arguments)
            a, a_place, y, y_place, share, images, width = writer.arguments
            a, y, share = writer.at(a, a_place), writer.at(y, y_place), writer.splat(share)
            own = writer.vector(a)
            given = builder.fmul(own, share)

            def sum_up(t, sums):
                return [writer.add_product(writer.vector(writer.at(y, t)), share, sums[0])]

            def give(t, none):
                place = writer.at(y, t)
                writer.store(builder.fadd(writer.vector(place), given), place)
                return none

            if back:
                writer.loop(_number(0), width, images, [], give)
            else:
                writer.store(writer.loop(_number(0), width, images, [own], sum_up)[0], a)
            return context.get_dummy_value()

        return types.void(a, a_place, y, y_place, share, images, width), generate

    return add


def _images(add: bool) -> Any:
    """Return the kernel that adds to what is there, or that does not look at it."""

    @intrinsic
    def change(typing, y, y_place, z, z_place, numbers, n, images, width):
        """Fill y at places 0, images, 2 images .. width - 1; numbers are m, a, b and s, `images` apart from n on."""

        def generate(context, builder, signature, arguments):
            writer = _Writer(context, builder, signature, arguments)
            y, y_place, z, z_place, numbers, n, images, width = writer.arguments
            y, z, own = writer.at(y, y_place), writer.at(z, z_place), []
            for _ in range(4):
                own.append(writer.vector(writer.at(numbers, n)))
                n = builder.add(n, images)
            m, a, b, s = own

            def body(t, none):
                place = writer.at(y, t)
                shift = writer.add_product(a, writer.vector(place), s) if add else s
                writer.store(writer.add_product(b, builder.fsub(writer.vector(writer.at(z, t)), m), shift), place)
                return none

            writer.loop(_number(0), width, images, [], body)
            return context.get_dummy_value()

        return types.void(y, y_place, z, z_place, numbers, n, images, width), generate

    return change


add_images, share_images = _shares(False), _shares(True)
place_images, move_images = _images(False), _images(True)
products, products_of_one = _products(VECTORS), _products(1)
gradients, gradients_of_one = _gradients(TAPS), _gradients(1)
