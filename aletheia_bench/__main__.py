"""`python -m aletheia_bench` is `aletheia-bench`."""

from aletheia_bench.cli import main

if __name__ == "__main__":
    main(prog_name="aletheia-bench")
