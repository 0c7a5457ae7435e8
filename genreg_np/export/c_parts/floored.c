/* floor(value), cut to low .. 127. */
static int8_t floored(double value, int low)
{
    int whole = value < low ? low : value < 127.0 ? (int)value : 127;
    if (whole > low && (double)whole > value)
        whole--; /* a cast rounds towards 0 */
    return (int8_t)whole;
}
