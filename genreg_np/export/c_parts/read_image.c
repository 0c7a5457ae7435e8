/* Read an image: raw bytes, or a FORMAT of the same size. Return whether it is valid. */
static int read_input(FILE *file, uint8_t *INPUT_NAME)
{
    static unsigned char data[MODEL_INPUTS + 4096]; /* image files begin with a header */
    const size_t size = fread(data, 1, sizeof data, file);
    unsigned long header[3] = {0, 0, 0}; /* width, height, largest value */
    size_t at = 2;

    if (size == MODEL_INPUTS) {
        memcpy(INPUT_NAME, data, MODEL_INPUTS);
        return 1;
    }
    if (size < MODEL_INPUTS || data[0] != 'P' || data[1] != 'DIGIT')
        return 0;
    for (int k = 0; k < 3; k++) {
        while (at < size && (isspace(data[at]) || data[at] == '#'))
            if (data[at++] == '#') /* a comment, to the end of the line */
                while (at < size && data[at] != '\n')
                    at++;
        for (; at < size && isdigit(data[at]) && header[k] < 100000; at++)
            header[k] = 10 * header[k] + (unsigned long)(data[at] - '0');
    }
    if (header[0] != MODEL_WIDTH || header[1] != MODEL_HEIGHT || header[2] != MODEL_LARGEST)
        return 0;
    at++; /* one blank ends the header */
    if (size != at + MODEL_INPUTS)
        return 0;
    TAKE_PIXELS
    return 1;
}
