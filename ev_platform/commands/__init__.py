"""What the `ev` commands do: join the rooms, show progress, and one clear line for every error a user can cause."""
