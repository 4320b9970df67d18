"""`python -m worker` is `writeback`."""

from worker.cli import main

if __name__ == "__main__":
    main()
