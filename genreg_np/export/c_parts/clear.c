static void clear_TYPE(TYPE *values, int count)
{
    for (int i = 0; i < count; i++)
        values[i] = 0;
}
