/* Replace the values v in each of `parts` equal parts by (v - mean) / sqrt(variance + 1e-5). */
static void normalise(float *restrict values, int parts, int count)
{
    for (int part = 0; part < parts; part++, values += count) {
        double sum = 0.0, squares = 0.0;
        for (int i = 0; i < count; i++)
            sum += (double)values[i];
        const float mean = (float)(sum / (double)count);
        for (int i = 0; i < count; i++) {
            values[i] -= mean;
            squares += (double)values[i] * (double)values[i];
        }
        const float deviation = sqrtf((float)(squares / (double)count) + 1e-5F);
        for (int i = 0; i < count; i++)
            values[i] /= deviation;
    }
}
