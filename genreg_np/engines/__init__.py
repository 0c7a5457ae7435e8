"""Where a user's function runs: in this process, or in processes of its own."""
