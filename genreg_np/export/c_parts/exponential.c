/* e**x for x <= 0, accurate to twelve digits: 2**-halvings times a series. Microcontrollers need no maths library. */
static double exponential(double x)
{
    if (x < -104.0)
        return 0.0; /* below what a float can hold */
    const int halvings = (int)(x * -1.4426950408889634);
    const double rest = x + (double)halvings * 0.6931471805599453;
    double term = 1.0, sum = 1.0;
    for (int power = 1; power < 16; power++) {
        term *= rest / (double)power;
        sum += term;
    }
    for (int i = 0; i < halvings; i++)
        sum *= 0.5;
    return sum;
}
