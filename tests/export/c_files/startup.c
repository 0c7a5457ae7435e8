/* Starts a program on a bare Cortex-M3: a stack, and main(). Files and output go to the emulator by semihosting. */
extern int main(void);
extern void initialise_monitor_handles(void);
extern void _exit(int status);
extern void stack_top(void); /* an address that the linker script sets */

static void reset(void)
{
    initialise_monitor_handles();
    _exit(main());
}

__attribute__((section(".vectors"), used)) static void (*const vectors[])(void) = {stack_top, reset};
