"""What the labs do: each file is one scenario with `run(lab)`; the methods also have `prepare(lab)`."""
