/* tanh v, accurate to six digits: a quotient of polynomials, which compilers can vectorise. */
static float tangent(float v)
{
    const float x = v < -7.9F ? -7.9F : v > 7.9F ? 7.9F : v; /* beyond this, it is +-1 to the last digits */
    const float u = x * x;
    float above = 2.410595e-11F * u - 1.4906563e-08F;
    above = above * u + 9.939302e-06F;
    above = above * u + 0.0029921103F;
    above = above * u + 0.12984923F;
    above = above * u + 1.0F;
    float below = 0.00023808863F * u + 0.024053149F;
    below = below * u + 0.4631824F;
    below = below * u + 1.0F;
    return x * above / below;
}
