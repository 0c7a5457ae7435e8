"""What is measured and drawn of a finished run. The command line has it done: no run knows of it."""
